-- checkpoints/load: the steps of executions $2 as recorded: checkpoints, and attempts that did not end their step.
select
    execution_id, key, digest, attempt,
    output::text as output, error::text as error,
    null::timestamptz as retry_at, true as ended
from durable.checkpoints
where shard = $1 and execution_id = any ($2)
union all
select
    execution_id, key, null, attempt,
    null, error::text,
    retry_at, false
from durable.attempts
where shard = $1 and execution_id = any ($2)
