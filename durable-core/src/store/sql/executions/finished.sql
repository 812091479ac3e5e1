-- executions/finished: read: the outcomes of those of executions $1 that have ended, and the errors of those that are stopped.
select execution_id, state, output::text as output, error::text as error
from durable.executions
where execution_id = any ($1) and (finished_at is not null or state = 'waiting' and error is not null)
