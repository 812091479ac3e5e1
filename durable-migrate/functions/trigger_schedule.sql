-- trigger_schedule: start an execution of a schedule now, whether it is due or disabled; with another input where one is given.
-- When it is due next stays as it is.
create or replace function durable.trigger_schedule(schedule text, input json default null) returns uuid
language plpgsql volatile
-- Planned anew each time: rare, and a batch of many looks nothing like the one that a connection happened to see first.
set plan_cache_mode = force_custom_plan
set enable_nestloop = on
set enable_sort = on
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    at timestamptz := durable.now();
    triggered_at timestamptz := at;
begin
    if trigger_schedule.schedule is null then
        raise exception 'a schedule without a name' using errcode = 'UD422', hint = 'give the name of the schedule to trigger';
    end if;
    perform
    from durable.schedules
    where schedule = trigger_schedule.schedule
    for no key update;
    if not found then
        raise exception 'there is no schedule `%`', trigger_schedule.schedule
        using errcode = 'UD404', hint = 'check the name and the schema';
    end if;
    if input is not null then
        perform durable.check_payload('the input', input::text);
    end if;
    -- Under a clock that is stopped, or due this very microsecond.
    while exists (
        select
        from durable.schedule_fires as fired
        where fired.schedule = trigger_schedule.schedule and fired.due_at = triggered_at
    ) loop
        triggered_at := triggered_at + interval '1 microsecond';
    end loop;
    perform durable.judge_fires(array[trigger_schedule.schedule], at);
    return (
        select fire.execution_id
        from durable.start_fires(
            array[trigger_schedule.schedule],
            array[trigger_schedule.schedule],
            array[triggered_at],
            array[null::timestamptz],
            'trigger',
            at,
            trigger_schedule.input
        ) as fire
        where fire.due_at = triggered_at
    );
end
$$;
