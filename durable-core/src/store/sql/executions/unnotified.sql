-- executions/unnotified: up to $1 executions that have ended and whose parents are not yet notified.
select execution_id
from durable.executions
where parent_policy = 'await' and finished_at is not null and parent_notified_at is null
order by execution_id
limit $1
