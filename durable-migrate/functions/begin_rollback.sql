-- begin_rollback: switch an execution that its worker still holds to rollback: its waits end, its deadline no longer counts, and the
-- children that it waits for are rolled back, too, or cancelled if there is nothing to undo. The first row is the execution itself, if
-- it was held. The other rows are its children, as roll_back_families or abandon_children return them.
create or replace function durable.begin_rollback(worker_id uuid, execution_id uuid, epoch int, cause json)
returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- As in lock_families; cancel_orphans ends those beyond.
    most constant int := 1000;
    children uuid[];
begin
    perform durable.lock_mailbox(begin_rollback.execution_id);
    select coalesce(array_agg(child.execution_id), '{}') into children
    from (
        select execution_id
        from durable.executions
        where parent_id = begin_rollback.execution_id
          and parent_policy = 'await'
          and finished_at is null
        limit most
    ) as child;
    if cardinality(children) > 0 then
        -- All mailboxes before the first row.
        perform durable.lock_families(children, wait => true);
    end if;

    perform from durable.workers as fence
    where fence.worker_id = begin_rollback.worker_id and fence.lost_at is null
    for key share;
    if not found then
        return;
    end if;
    update durable.executions as execution
    set rollback = cause, deadline_at = null, claims = 0
    where execution.execution_id = begin_rollback.execution_id
      and execution.worker_id = begin_rollback.worker_id
      and execution.epoch = begin_rollback.epoch
      and execution.state = 'running'
    returning execution.execution_id, execution.state, execution.queue into id, state, queue;
    if not found then
        return;
    end if;
    return next;
    perform durable.resolve_waits(array[begin_rollback.execution_id], null, 'cancelled', durable.now());
    perform durable.enlist_children(array[begin_rollback.execution_id]);
    if cardinality(children) > 0 then
        if durable.undoable(begin_rollback.execution_id) then
            return query
            select rolled_back.*
            from durable.roll_back_families(
                children, durable.failure('rolled_back', 'its parent is rolled back'), wait => true
            ) as rolled_back;
        else
            return query
            select abandoned.*
            from durable.abandon_children(
                children, durable.failure('cancelled', 'its parent no longer waits for it'), wait => true
            ) as abandoned;
        end if;
        -- Those that ended while this waited for them.
        perform durable.enlist_children(array[begin_rollback.execution_id]);
    end if;
end
$$;
