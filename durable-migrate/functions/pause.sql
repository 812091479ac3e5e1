-- pause: stop an execution until it is resumed. No worker claims it, and if it runs, it stops at its next durable call.
-- Its waits still receive messages, and its deadline still counts. Returns since when it is paused; pausing twice is not an error.
create or replace function durable.pause(execution_id uuid) returns timestamptz
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
begin
    update durable.executions
    set paused_at = coalesce(paused_at, durable.now()),
        -- Every function that puts a paused execution back into its queue sets the same time, so a claim need not know about pauses.
        wake_at = case when state = 'pending' then coalesce(wake_at, 'infinity') else wake_at end
    where execution_id = pause.execution_id and finished_at is null
    returning paused_at into target;
    if found then
        return target.paused_at;
    end if;
    select state into target
    from durable.executions
    where execution_id = pause.execution_id;
    if target is null then
        raise exception 'there is no execution %', pause.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    raise exception 'execution % is already %: pause came too late', pause.execution_id, target.state
    using errcode = 'UD410';
end
$$;
