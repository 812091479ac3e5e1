-- checkpoints/commit: write the outcome of a step inside its own transaction, if worker $2 holds the execution; says if it is to be committed.
with locked as materialized (
    select execution_id, worker_id
    from durable.executions
    where shard = $1 and execution_id = $3 and epoch = $4 and worker_id = $2 and state = 'running'
    -- Whoever calls the execution off from outside waits for the commit, or else this waits and then finds it called off: a
    -- rollback undoes this step, or it was never taken.
    for share
),
-- After the row, for which this may wait: meanwhile the worker can be declared lost.
held as materialized (
    select locked.execution_id
    from locked, durable.workers
    where workers.shard = $1 and workers.worker_id = locked.worker_id and workers.worker_id = $2 and workers.lost_at is null
    for key share of workers
),
-- A step that has ended its transaction by itself has taken this setting away with it.
transaction as materialized (
    select coalesce(current_setting('durable.step', true), '') = 'open' as is_open
),
saved as (
    insert into durable.checkpoints (
        execution_id, digest, started_at, finished_at, shard, attempt, undo_order, key, output
    )
    select
        held.execution_id,
        $5,
        present.at - make_interval(secs => $6),
        present.at,
        $1,
        $7,
        $8,
        $9,
        $10::text::json
    from held, transaction, durable.present
    where transaction.is_open
    on conflict do nothing
    returning key
)
select
    transaction.is_open,
    exists (select from held) as is_held,
    exists (select from saved) as is_saved,
    pg_current_xact_id()::text as transaction_id,
    -- From here on the worker's row is locked: should this process freeze before its commit arrives, nobody waits for it long.
    set_config('idle_in_transaction_session_timeout', $11, true)
from transaction
