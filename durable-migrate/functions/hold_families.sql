-- hold_families: lock executions, and the children that end with them, and return them. First their mailboxes, then their rows.
-- Leaves out executions that have ended or are rolled back and, if it may not wait, executions that another transaction holds.
create or replace function durable.hold_families(execution_ids uuid[], wait boolean) returns uuid[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- All mailboxes before the first row: no flush may wait for a row behind a caller who waits for a mailbox.
    families uuid[] := durable.lock_families(execution_ids, hold_families.wait);
    held uuid[];
begin
    if not hold_families.wait then
        -- An execution whose row another transaction holds is busy, too.
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
    -- The children of an execution that ended meanwhile continue.
    member as (
        select execution_id
        from living
        where execution_id = any (execution_ids)
        union
        select living.execution_id
        from living
        join member on member.execution_id = living.parent_id
    )
    select coalesce(array_agg(execution_id), '{}') into held
    from member;
    return held;
end
$$;
