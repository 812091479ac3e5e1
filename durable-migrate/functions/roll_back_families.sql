-- roll_back_families: roll executions back, and the children that end with them; one row for each of them. A worker then runs their
-- compensations. `awaited_by` is null: no parent is notified before the rollback has ended. The verb is `rollback`.
create or replace function durable.roll_back_families(execution_ids uuid[], failure json, wait boolean)
returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    held uuid[] := durable.hold_families(execution_ids, roll_back_families.wait);
begin
    perform durable.resolve_waits(held, null, 'cancelled', durable.now());
    perform durable.enlist_children(held);
    -- Under a new epoch, the worker that runs it now writes nothing more; the next claim runs its compensations.
    return query
    update durable.executions
    set rollback = roll_back_families.failure,
        state = 'pending',
        epoch = epoch + 1,
        claims = 0,
        wake_at = null,
        expires_at = null,
        deadline_at = null,
        paused_at = null,
        error = null
    where execution_id = any (held)
    returning execution_id, 'compensating', queue, null::uuid;
end
$$;
