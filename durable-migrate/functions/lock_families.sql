-- lock_families: lock the mailboxes of executions and of the children that end with them, parents first, and return these executions.
-- It leaves out executions that have ended or are rolled back and, if it may not wait, executions that another transaction holds. At
-- most 1000, the nearest first.
create or replace function durable.lock_families(execution_ids uuid[], wait boolean) returns uuid[]
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- Each takes an entry in the server's lock table, which has room for some thousands.
    most constant int := 1000;
    generation uuid[] := execution_ids;
    families uuid[] := '{}';
begin
    while cardinality(generation) > 0 loop
        if lock_families.wait then
            perform durable.lock_mailbox(member.id)
            from (select id from unnest(generation) as member (id) order by id) as member;
        else
            select coalesce(array_agg(member.id), '{}') into generation
            from unnest(generation) as member (id)
            where durable.try_lock_mailbox(member.id);
        end if;
        -- Statements from here on see what was committed before the locks: whoever is locked gets no more children.
        select coalesce(array_agg(execution_id), '{}') into generation
        from durable.executions
        where execution_id = any (generation) and finished_at is null and rollback is null;
        families := families || generation;

        select coalesce(array_agg(child.execution_id), '{}') into generation
        from (
            select execution_id
            from durable.executions
            where parent_id = any (generation)
              and parent_policy in ('await', 'cancel')
              and finished_at is null
              and rollback is null
            limit greatest(0, most - cardinality(families))
        ) as child;
    end loop;
    return families;
end
$$;
