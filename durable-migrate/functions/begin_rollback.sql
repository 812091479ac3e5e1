-- begin_rollback: turn an execution round that its worker still holds: its waits end, its deadline no longer counts, and the
-- children that it waits for are rolled back, too, or cancelled where there is nothing to undo. One row with null if it was held, and one for each child's queue.
create or replace function durable.begin_rollback(shard smallint, worker_id uuid, execution_id uuid, epoch int, cause json)
returns table (queue text)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    children uuid[];
    undoes boolean;
begin
    perform durable.lock_mailbox(begin_rollback.execution_id);
    select coalesce(array_agg(child.execution_id), '{}') into children
    from durable.executions as child
    where child.shard = begin_rollback.shard
      and child.parent_id = begin_rollback.execution_id
      and child.parent_bond = 'awaited'
      and child.finished_at is null;
    if cardinality(children) > 0 then
        -- All mailboxes before the first row.
        perform durable.lock_families(children, wait => true);
    end if;

    perform from durable.workers as fence
    where fence.shard = begin_rollback.shard and fence.worker_id = begin_rollback.worker_id and fence.lost_at is null
    for key share;
    if not found then
        return;
    end if;
    update durable.executions as execution
    set rollback = cause, deadline_at = null, claims = 0
    where execution.shard = begin_rollback.shard
      and execution.execution_id = begin_rollback.execution_id
      and execution.worker_id = begin_rollback.worker_id
      and execution.epoch = begin_rollback.epoch
      and execution.state = 'running'
    returning null::text into queue;
    if not found then
        return;
    end if;
    return next;
    update durable.waits as waiting
    set outcome = 'cancelled', resolved_at = durable.now()
    where waiting.shard = begin_rollback.shard
      and waiting.execution_id = begin_rollback.execution_id
      and waiting.outcome is null;
    perform durable.enlist_children(array[begin_rollback.execution_id]);
    if cardinality(children) > 0 then
        undoes := durable.undoable(begin_rollback.shard, begin_rollback.execution_id);
        return query
        select distinct called_off.queue
        from durable.call_off(
            children,
            case
                when undoes then durable.failure('rolled_back', 'its parent is rolled back')
                else durable.failure('cancelled', 'its parent no longer waits for it')
            end,
            compensate => undoes,
            wait => true
        ) as called_off;
        -- Those that ended while this waited for them.
        perform durable.enlist_children(array[begin_rollback.execution_id]);
    end if;
end
$$;
