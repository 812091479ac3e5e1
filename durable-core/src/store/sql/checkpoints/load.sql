-- checkpoints/load: read: the journals of executions $1: checkpoints, attempts that did not end their step, and waits. At most $2
-- rows.
select
    execution_id, key, 'checkpoint' as entry, digest, attempt,
    output::text as output, error::text as error,
    null::timestamptz as at, finished_at as recorded_at, undo_order,
    null as outcome, null::uuid as child_id, null as answered_by, null::uuid as message_id
from durable.checkpoints
where execution_id = any ($1)
union all
select
    execution_id, key, 'attempt', null, attempt,
    null, error::text,
    retry_at, finished_at, null,
    null, null, null, null
from durable.attempts
where execution_id = any ($1)
union all
select
    execution_id, key, 'wait', digest, null,
    payload::text, null,
    resolved_at, coalesce(resolved_at, started_at), null,
    outcome, child_id, answered_by, message_id
from durable.waits
where execution_id = any ($1)
limit $2
