-- backfill_schedule: fire a schedule for those past due times at which it has not fired, and return how many there were.
-- The caller computes the due times for the revision that it read.
create or replace function durable.backfill_schedule(schedule text, revision int, due_ats timestamptz[]) returns int
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
    target record;
begin
    if exists (
        select from unnest(backfill_schedule.due_ats) as due (at)
        where due.at is null or due.at not between '0001-01-01 00:00:00+00' and '9999-12-31 23:59:59.999999+00'
    ) then
        raise exception 'a due time of schedule `%` is not between the years 1 and 9999', backfill_schedule.schedule
        using errcode = 'UD422', hint = 'give the due times of its rule';
    end if;
    select revision into target
    from durable.schedules
    where schedule = backfill_schedule.schedule
    for no key update;
    if target is null then
        raise exception 'there is no schedule `%`', backfill_schedule.schedule
        using errcode = 'UD404', hint = 'check the name and the schema';
    end if;
    if target.revision <> backfill_schedule.revision then
        raise exception 'schedule `%` was changed meanwhile', backfill_schedule.schedule
        using errcode = 'UD409', hint = 'try again';
    end if;
    if exists (select from unnest(backfill_schedule.due_ats) as due_at where due_at > at) then
        raise exception 'schedule `%` cannot be backfilled for times that are still to come', backfill_schedule.schedule
        using errcode = 'UD422', hint = 'give due times up to now';
    end if;
    perform durable.judge_firings(array[backfill_schedule.schedule], at);
    return (
        select count(*)
        from durable.start_firings(
            array[backfill_schedule.schedule],
            array_fill(backfill_schedule.schedule, array[cardinality(backfill_schedule.due_ats)]),
            backfill_schedule.due_ats,
            array_fill(null::timestamptz, array[cardinality(backfill_schedule.due_ats)]),
            'backfill',
            at
        ) as firing
        where firing.due_at = any (backfill_schedule.due_ats)
    );
end
$$;
