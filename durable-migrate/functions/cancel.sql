-- cancel: end an execution that is not finished, and the children that it waits for or started; one row for each of them.
-- What they wait for is cancelled with them. With `compensate` what they did is undone first, as by `rollback`.
create or replace function durable.cancel(
    execution_id uuid,
    reason text default 'cancelled by request',
    compensate boolean default false
) returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
    failure json := durable.failure('cancelled', coalesce(cancel.reason, 'cancelled by request'));
begin
    if cancel.compensate then
        return query
        select rolled_back.*
        from durable.roll_back_families(array[cancel.execution_id], failure, wait => true) as rolled_back;
    else
        return query
        select cancelled.*
        from durable.cancel_families(array[cancel.execution_id], failure, wait => true) as cancelled;
    end if;
    if found then
        return;
    end if;

    select state, finished_at, rollback ->> 'kind' as rolled_back_for into target
    from durable.executions
    where execution_id = cancel.execution_id;
    if target is null then
        raise exception 'there is no execution %', cancel.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if target.state = 'cancelled' or (cancel.compensate and target.rolled_back_for = 'cancelled') then
        return;
    end if;
    if target.finished_at is null then
        raise exception 'execution % is being rolled back: cancel came too late', cancel.execution_id
        using errcode = 'UD410', hint = 'its compensations must finish; wait for them';
    end if;
    raise exception 'execution % is already %: cancel came too late', cancel.execution_id, target.state
    using errcode = 'UD410';
end
$$;
