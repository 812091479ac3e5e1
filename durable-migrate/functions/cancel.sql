-- cancel: end an execution that is not finished; what it waits for is cancelled with it.
create or replace function durable.cancel(execution_id uuid, reason text default 'cancelled by request') returns void
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    state_before text;
begin
    perform durable.lock_mailbox(cancel.execution_id);
    select state into state_before
    from durable.executions
    where shard = 0 and execution_id = cancel.execution_id
    for no key update;
    if state_before is null then
        raise exception 'there is no execution %', cancel.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if state_before = 'cancelled' then
        return;
    end if;
    if state_before not in ('pending', 'running', 'waiting') then
        raise exception 'execution % is already %: cancel came too late', cancel.execution_id, state_before
        using errcode = 'UD410';
    end if;
    update durable.executions
    set state = 'cancelled',
        wake_at = null,
        finished_at = durable.now(),
        error = json_build_object('kind', 'cancelled', 'message', left(cancel.reason, 65536))
    where shard = 0 and execution_id = cancel.execution_id;
    update durable.waits
    set outcome = 'cancelled', resolved_at = durable.now()
    where shard = 0 and execution_id = cancel.execution_id and outcome is null;
end
$$;
