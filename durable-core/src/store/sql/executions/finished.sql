-- executions/finished: how those of $2 that have ended did.
select execution_id, state, output::text as output, error::text as error
from durable.executions
where shard = $1 and execution_id = any ($2) and finished_at is not null
