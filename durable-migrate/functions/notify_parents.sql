-- notify_parents: give the ends of children to the waits of their parents, each once; one row for each end whose parent was not
-- yet notified: `notified` (the parent was woken, or runs), `not_awaited` (it no longer waits) or `busy` (another transaction
-- holds the parent: ask again). A child that another transaction holds is left out.
create or replace function durable.notify_parents(child_ids uuid[])
returns table (child_id uuid, outcome text, parent_id uuid, woken_queue text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    child record;
begin
    for child in
        select execution_id, executions.parent_id, parent_key, state, output, error, finished_at
        from durable.executions
        where execution_id = any (child_ids)
          and parent_policy = 'await'
          and finished_at is not null
          and parent_notified_at is null
        for no key update skip locked
    loop
        child_id := child.execution_id;
        parent_id := child.parent_id;
        woken_queue := null;
        if not durable.try_lock_mailbox(child.parent_id) then
            outcome := 'busy';
            return next;
            continue;
        end if;
        -- No statement that notifies many parents waits for the row of one of them. Only a parent that waits is woken, and only
        -- its row is locked: a claim passes over rows that are locked, and would leave a parent that is pending to the next poll.
        perform
        from durable.executions
        where execution_id = child.parent_id and executions.state = 'waiting'
        for no key update skip locked;
        if not found and exists (
            select
            from durable.executions
            where execution_id = child.parent_id and executions.state = 'waiting'
        ) then
            outcome := 'busy';
            return next;
            continue;
        end if;
        perform durable.resolve_waits(
            array[child.parent_id], array[child.parent_key], 'received', durable.now(),
            array[json_build_object(
                'state', child.state,
                'output', child.output,
                'error', child.error,
                'undoable', durable.undoable(child.execution_id)
            )]
        )
        from durable.waits
        where waits.execution_id = child.parent_id
          and waits.key = child.parent_key
          -- If the parent has continued as new since, another child may have the key.
          and waits.child_id = child.execution_id
          and waits.outcome is null
          -- A child that ended after the deadline came too late, though no worker has looked since.
          and (waits.due_at is null or waits.due_at > child.finished_at);
        if found then
            outcome := 'notified';
            woken_queue := durable.wake_for_message(child.parent_id);
        else
            outcome := 'not_awaited';
        end if;
        update durable.executions
        set parent_notified_at = durable.now()
        where execution_id = child.execution_id and parent_notified_at is null;
        return next;
    end loop;
end
$$;
