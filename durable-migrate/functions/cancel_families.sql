-- call_off: cancel executions, or have what they did undone, with the children that end with them; one row for each of them.
-- `awaited_by` is the parent that is still to be told. The verbs are `cancel` and `rollback`.
create or replace function durable.call_off(execution_ids uuid[], failure json, compensate boolean, wait boolean)
returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- All mailboxes before the first row: no flush may wait for a row behind a caller who waits for a mailbox.
    families uuid[] := durable.lock_families(execution_ids, call_off.wait);
    at timestamptz := durable.now();
    called_off uuid[];
begin
    if not call_off.wait then
        -- Who is locked by another transaction is busy, too.
        families := array(
            select execution_id
            from durable.executions
            where execution_id = any (families)
            for no key update skip locked
        );
    end if;
    with recursive living as materialized (
        select execution_id, parent_id
        from durable.executions
        where execution_id = any (families) and finished_at is null and rollback is null
        for no key update
    ),
    -- The children of one that ended meanwhile go on.
    member as (
        select execution_id
        from living
        where execution_id = any (execution_ids)
        union
        select living.execution_id
        from living
        join member on member.execution_id = living.parent_id
    )
    select coalesce(array_agg(execution_id), '{}') into called_off
    from member;

    perform durable.resolve_waits(called_off, null, 'cancelled', at);

    if compensate then
        perform durable.enlist_children(called_off);
        -- Under a new epoch, whoever runs it now writes nothing more; the next claim runs its compensations.
        return query
        update durable.executions
        set rollback = call_off.failure,
            state = 'pending',
            epoch = epoch + 1,
            claims = 0,
            wake_at = null,
            expires_at = null,
            deadline_at = null,
            paused_at = null,
            error = null
        where execution_id = any (called_off)
        returning execution_id, 'compensating', queue, null::uuid;
    else
        return query
        update durable.executions
        set state = 'cancelled',
            wake_at = null,
            expires_at = null,
            finished_at = at,
            error = call_off.failure,
            parent_notified_at = case when parent_policy = 'await' and parent_id = any (called_off) then at end
        where execution_id = any (called_off)
        returning execution_id, state, queue, case when parent_policy = 'await' and parent_notified_at is null then parent_id end;
    end if;
end
$$;
