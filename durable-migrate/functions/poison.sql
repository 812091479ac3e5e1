-- poison: end an execution that its worker has claimed too often without it coming to rest. What it did is undone first
-- where that can be; a rollback that kills its workers has failed. One row for itself if it was held, first, and one for each child.
create or replace function durable.poison(worker_id uuid, execution_id uuid, epoch int, reason json)
returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    held record;
begin
    perform durable.lock_mailbox(poison.execution_id);
    select rollback into held
    from durable.executions as execution
    where execution.execution_id = poison.execution_id
      and execution.epoch = poison.epoch
      and execution.worker_id = poison.worker_id
      and execution.state = 'running'
    for no key update;
    if not found then
        return;
    end if;

    -- What children have completed counts, though their parent may never have read their ends.
    perform durable.enlist_children(array[poison.execution_id]);
    if held.rollback is null
        and (durable.undoable(poison.execution_id) or durable.cut_off(poison.execution_id))
    then
        return query
        select *
        from durable.begin_rollback(poison.worker_id, poison.execution_id, poison.epoch, poison.reason);
        update durable.executions as execution
        set state = 'pending',
            epoch = execution.epoch + 1,
            wake_at = case when paused_at is not null then 'infinity'::timestamptz end
        where execution.execution_id = poison.execution_id
          and execution.epoch = poison.epoch
          and execution.worker_id = poison.worker_id
          and execution.state = 'running'
          and execution.rollback is not null;
        return;
    end if;

    -- The worker that held it notifies its parent.
    return query
    select ended.id, ended.state, ended.queue, null::uuid
    from durable.end_executions(
        array[poison.execution_id],
        case when held.rollback is null then 'failed' else 'compensation_failed' end,
        array[case
            when held.rollback is null then poison.reason
            -- A rollback keeps the reason why it was begun; what ended it is added as a cause.
            else jsonb_set(
                held.rollback::jsonb,
                '{causes}',
                coalesce(held.rollback::jsonb -> 'causes', '[]') || jsonb_build_array(poison.reason ->> 'message')
            )::json
        end],
        durable.now()
    ) as ended;
end
$$;
