-- cancel_families: cancel executions, and the children that end with them; one row for each of them. What they did is kept.
-- `awaited_by` is the parent that is still to be notified. The verb is `cancel`.
create or replace function durable.cancel_families(execution_ids uuid[], failure json, wait boolean)
returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    held uuid[] := durable.hold_families(execution_ids, cancel_families.wait);
begin
    return query
    select ended.*
    from durable.end_executions(
        held, 'cancelled', array_fill(cancel_families.failure, array[cardinality(held)]), durable.now()
    ) as ended;
end
$$;
