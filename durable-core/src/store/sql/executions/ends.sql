-- executions/ends: what executions those of $2 that have ended were, in which state they ended, and why.
select execution_id, workflow, version, state, error::text as error
from durable.executions
where shard = $1 and execution_id = any ($2) and finished_at is not null
