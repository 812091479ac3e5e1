-- give_up: end children that their parents wait for no longer, with their own; one row for each of them. They are cancelled, and what they
-- did is kept; but a step that a child has begun to run for its parent is undone, if it asks for that or has left something to undo.
create or replace function durable.give_up(execution_ids uuid[], failure json, wait boolean)
returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- All mailboxes before the first row, and all rows at once, as in call_off.
    families uuid[] := durable.lock_families(execution_ids, give_up.wait);
    undone uuid[];
begin
    if not give_up.wait then
        -- Who is locked by another transaction is busy, too.
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
          and parent_key ~ '(^|/)child step '
          and undoes is null
          and started_at is not null
          and ((input ->> 'undo_on_failure')::boolean or durable.undoable(execution_id))
    );
    return query
    select called_off.*
    from durable.call_off(undone, give_up.failure, compensate => true, wait => give_up.wait) as called_off;
    return query
    select called_off.*
    from durable.call_off(
        array(select unnest(execution_ids) except select unnest(undone)), give_up.failure, compensate => false, wait => give_up.wait
    ) as called_off;
end
$$;
