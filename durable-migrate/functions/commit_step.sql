-- commit_step: write the outcome of a step inside its own transaction, if worker $1 holds the execution; says if it is to be committed.
-- A function, because the transaction belongs to the user: its search path is the user's, and so are its other settings.
create or replace function durable.commit_step(
    worker_id uuid,
    execution_id uuid,
    epoch int,
    digest bigint,
    took float8,
    attempt smallint,
    undo_order int,
    key text,
    output text,
    idle_limit text
) returns table (is_open boolean, is_held boolean, is_saved boolean, transaction_id text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with locked as materialized (
        select executions.execution_id, executions.worker_id
        from durable.executions
        where executions.execution_id = $2
          and executions.epoch = $3
          and executions.worker_id = $1
          and executions.state = 'running'
        -- A caller that cancels the execution or rolls it back waits for the commit; otherwise this waits, and then finds the
        -- execution cancelled or in rollback. So a rollback undoes this step, or the step was never committed.
        for share
    ),
    -- After the row, for which this may wait: meanwhile the worker can be declared lost. If the transaction's snapshot is older than
    -- that, the lock fails with 40001, because `lost_at` is part of the row's key.
    held as materialized (
        select locked.execution_id
        from locked, durable.workers
        where workers.worker_id = locked.worker_id and workers.worker_id = $1 and workers.lost_at is null
        for key share of workers
    ),
    -- A step that has ended its transaction by itself has taken this setting away with it.
    transaction as materialized (
        select coalesce(current_setting('engine.step', true), '') = 'open' as is_open
    ),
    saved as (
        insert into durable.checkpoints (
            execution_id, digest, started_at, finished_at, attempt, undo_order, key, output
        )
        select
            held.execution_id,
            $4,
            present.at - make_interval(secs => $5),
            present.at,
            $6,
            $7,
            $8,
            $9::json
        from held, transaction, durable.present
        where transaction.is_open
        on conflict do nothing
        returning key
    )
    select
        transaction.is_open,
        exists (select from held),
        exists (select from saved),
        pg_current_xact_id()::text
    from transaction;
    -- From here on the worker's row is locked: if this process freezes before its commit arrives, the server ends the transaction soon.
    perform set_config('idle_in_transaction_session_timeout', $10, true);
end
$$;
