-- executions/finished: read: how those of $1 that have ended did, and why those that are stopped are.
select execution_id, state, output::text as output, error::text as error
from durable.executions
where execution_id = any ($1) and (finished_at is not null or state = 'waiting' and error is not null)
