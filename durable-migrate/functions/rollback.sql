-- rollback: undo what an unfinished execution did, and the children that it waits for or started; one row for each of them.
-- The worker that runs it stops it; its waits are cancelled; a worker then runs its compensations, that of the latest step first.
create or replace function durable.rollback(
    execution_id uuid,
    reason text default 'rolled back by request'
) returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
begin
    return query
    select rolled_back.*
    from durable.roll_back_families(
        array[rollback.execution_id],
        durable.failure('rolled_back', coalesce(rollback.reason, 'rolled back by request')),
        wait => true
    ) as rolled_back;
    if found then
        return;
    end if;

    select state, finished_at into target
    from durable.executions
    where execution_id = rollback.execution_id;
    if target is null then
        raise exception 'there is no execution %', rollback.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if target.finished_at is null or target.state = 'compensated' then
        return;
    end if;
    raise exception 'execution % is already %: rollback came too late', rollback.execution_id, target.state
    using errcode = 'UD410';
end
$$;
