-- trigger_schedule: start an execution of a schedule now, even if the schedule is not due or is disabled. The caller may give another
-- input. The next due time does not change.
create or replace function durable.trigger_schedule(schedule text, input json default null) returns uuid
language plpgsql volatile
-- Planned at every call: calls are rare, and the plan for a large batch differs from the plan for a small one.
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
    -- Two triggers at the same time: a test stopped the clock, or the schedule is due in this very microsecond.
    while exists (
        select
        from durable.schedule_firings as fired
        where fired.schedule = trigger_schedule.schedule and fired.due_at = triggered_at
    ) loop
        triggered_at := triggered_at + interval '1 microsecond';
    end loop;
    perform durable.judge_firings(array[trigger_schedule.schedule], at);
    return (
        select firing.execution_id
        from durable.start_firings(
            array[trigger_schedule.schedule],
            array[trigger_schedule.schedule],
            array[triggered_at],
            array[null::timestamptz],
            'trigger',
            at,
            trigger_schedule.input
        ) as firing
        where firing.due_at = triggered_at
    );
end
$$;
