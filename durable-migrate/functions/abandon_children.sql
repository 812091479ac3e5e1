-- abandon_children: end children that their parents no longer wait for, with their own children; one row for each. They are cancelled,
-- and what they did is kept. But a step that a child has begun to run for its parent is undone, if it asks for that or has left
-- something to undo.
create or replace function durable.abandon_children(execution_ids uuid[], failure json, wait boolean)
returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- All mailboxes before the first row, and all rows at once, as in hold_families.
    families uuid[] := durable.lock_families(execution_ids, abandon_children.wait);
    undone uuid[];
begin
    if not abandon_children.wait then
        -- An execution whose row another transaction holds is busy, too.
        families := array(
            select execution_id
            from durable.executions
            where execution_id = any (families)
            for no key update skip locked
        );
        execution_ids := array(select unnest(execution_ids) intersect select unnest(families));
    end if;
    perform
    from durable.executions
    where execution_id = any (families) and finished_at is null and rollback is null
    for no key update;
    -- Nothing begins and nothing is recorded in them any more.
    undone := array(
        select execution_id
        from durable.executions
        where execution_id = any (execution_ids)
          and step_key is not null
          and undoes is null
          and started_at is not null
          and (undo_on_failure or durable.undoable(execution_id))
    );
    return query
    select rolled_back.*
    from durable.roll_back_families(undone, abandon_children.failure, abandon_children.wait) as rolled_back;
    return query
    select cancelled.*
    from durable.cancel_families(
        array(select unnest(execution_ids) except select unnest(undone)), abandon_children.failure, abandon_children.wait
    ) as cancelled;
end
$$;
