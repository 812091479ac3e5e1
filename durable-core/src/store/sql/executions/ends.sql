-- executions/ends: those of executions $1 that have ended: what they were, in which state they ended, and why.
select execution_id, workflow, version, state, error::text as error
from durable.executions
where execution_id = any ($1) and finished_at is not null
