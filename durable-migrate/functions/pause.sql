-- pause: have an execution go no further until it is resumed: nobody claims it, and one that runs stops at its next durable call.
-- What it waits for goes on to be received, and its time goes on to run. Says since when; pausing twice is no error.
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
        -- Whoever puts a paused execution back into its queue does the same: no claim need know of pauses.
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
