-- executions/finished: read: how those of $2 that have ended did, and why those that are stopped are.
select execution_id, state, output::text as output, error::text as error
from durable.executions
where shard = $1 and execution_id = any ($2) and (finished_at is not null or state = 'waiting' and error is not null)
