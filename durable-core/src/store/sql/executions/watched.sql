-- executions/watched: read: executions $1 as they are shown, with how much is recorded of each.
select shown.*, checkpoints.recorded as checkpoints, checkpoints.last_checkpoint, waits.registered as waits, waits.last_wait
from durable.shown_executions as shown
cross join lateral (
    select count(*) as recorded, max(ordinal) as last_checkpoint
    from durable.checkpoints
    where checkpoints.execution_id = shown.execution_id
) as checkpoints
cross join lateral (
    select count(*) as registered, max(ordinal) as last_wait
    from durable.waits
    where waits.execution_id = shown.execution_id
) as waits
where shown.execution_id = any ($1)
