-- executions/untold: up to $1 executions that have ended and whose parents were not told.
select execution_id
from durable.executions
where parent_bond = 'awaited' and finished_at is not null
order by execution_id
limit $1
