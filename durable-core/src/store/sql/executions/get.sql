-- executions/get: one execution, whole.
select
    execution_id, workflow, version, queue, priority, key, state, epoch,
    input::text as input, output::text as output, error::text as error,
    created_at, started_at, wake_at, deadline_at, finished_at
from durable.executions
where shard = $1 and execution_id = $2
