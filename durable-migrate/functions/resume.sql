-- resume: let an execution go on that is paused, or that was stopped (it diverged from its journal); says the queue it is in.
create or replace function durable.resume(execution_id uuid) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
begin
    perform durable.lock_mailbox(resume.execution_id);
    update durable.executions
    set state = case when error is null then state else 'pending' end,
        wake_at = case when error is null then nullif(wake_at, 'infinity') end,
        error = null,
        paused_at = null
    where execution_id = resume.execution_id
      and finished_at is null
      and (paused_at is not null or state = 'waiting' and error is not null)
    returning queue into target;
    if found then
        return target.queue;
    end if;
    select state into target
    from durable.shown_executions
    where execution_id = resume.execution_id;
    if target is null then
        raise exception 'there is no execution %', resume.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    raise exception 'execution % is %, neither paused nor stopped: there is nothing to resume', resume.execution_id, target.state
    using errcode = 'UD410';
end
$$;
