-- start_firings: fire schedules for due times that they have not fired for, as their overlap policies say; start what stands in
-- line. Returns every firing that is new or moved up. For schedules whose rows are locked, and whose ends are judged.
create or replace function durable.start_firings(
    names text[],
    due_names text[],
    due_ats timestamptz[],
    start_ats timestamptz[],
    cause text,
    at timestamptz,
    input json default null
) returns setof durable.schedule_firings
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- Longest line of a schedule that queues.
    most constant int := 1000;
    busy text[];
    moved durable.schedule_firings[];
    firings durable.schedule_firings[];
begin
    -- What has ended is judged, so whatever is not judged runs.
    select coalesce(array_agg(distinct schedule), '{}') into busy
    from durable.schedule_firings
    where schedule = any (names) and outcome = 'started' and judged_at is null;

    with first as materialized (
        select schedule, min(due_at) as due_at
        from durable.schedule_firings
        where schedule = any (names) and outcome = 'queued' and schedule <> all (busy)
        group by schedule
    ),
    moved_up as (
        update durable.schedule_firings
        set outcome = 'started', execution_id = durable.new_id()
        from first
        where schedule_firings.schedule = any (names)
          and schedule_firings.schedule = first.schedule
          and schedule_firings.due_at = first.due_at
        returning schedule_firings.schedule, schedule_firings as firing
    )
    select coalesce(array_agg(firing), '{}'), busy || coalesce(array_agg(schedule), '{}') into moved, busy
    from moved_up;

    with fired as materialized (
        select schedule, due_at
        from durable.schedule_firings
        where schedule = any (names) and due_at = any (due_ats)
    ),
    line as materialized (
        select schedule, count(*) as length
        from durable.schedule_firings
        where schedule = any (names) and outcome = 'queued'
        group by schedule
    ),
    placed as (
        select
            schedule,
            due.due_at,
            schedule = any (busy) as busy,
            coalesce(line.length, 0) as length,
            -- By hand nothing is left out: what may not overlap comes one after the other.
            case
                when start_firings.cause = 'trigger' then 'allow'
                when start_firings.cause = 'backfill' and overlap <> 'allow' then 'queue'
                else overlap
            end as overlap,
            row_number() over (partition by schedule order by due.due_at) as place,
            count(*) over (partition by schedule) as places
        from unnest(due_names, due_ats) as due (schedule, due_at)
        join durable.schedules using (schedule)
        left join fired using (schedule, due_at)
        left join line using (schedule)
        where schedule = any (names) and fired.schedule is null
    ),
    decided as (
        select
            schedule,
            due_at,
            case
                when overlap = 'allow' then 'started'
                when overlap = 'cancel' then case when place = places then 'started' else 'skipped' end
                when place = 1 and not busy then 'started'
                when overlap = 'queue' and length + place <= most then 'queued'
                else 'skipped'
            end as outcome
        from placed
    ),
    fired_now as (
        insert into durable.schedule_firings (schedule, due_at, fired_at, cause, outcome, execution_id)
        select
            schedule, due_at, start_firings.at, start_firings.cause, outcome,
            case when outcome = 'started' then durable.new_id() end
        from decided
        on conflict do nothing
        returning schedule_firings as firing
    )
    select moved || coalesce(array_agg(firing), '{}') into firings
    from fired_now;

    -- Without a key: the row of the firing is what makes it the only one.
    perform durable.create_executions(
        array_agg(firing.execution_id),
        array_agg(workflow),
        array_agg(version),
        array_agg(queue),
        array_agg(priority),
        array_agg(null::text),
        -- What is given with a trigger is for that one, and not for those that stood in line.
        array_agg(coalesce(case when firing.due_at = any (due_ats) then start_firings.input end, schedules.input)::text),
        array_agg(due.start_at),
        array_agg(null::float8),
        concurrency_keys => array_agg(concurrency_key),
        time_to_lives => array_agg(extract(epoch from time_to_live)::float8),
        schedules => array_agg(firing.schedule),
        scheduled_fors => array_agg(firing.due_at),
        tags => case when count(tags) > 0 then array_agg(tags::text) end
    )
    from unnest(firings) as firing
    join durable.schedules using (schedule)
    left join unnest(due_names, due_ats, start_ats) as due (schedule, due_at, start_at) using (schedule, due_at)
    where schedule = any (names) and firing.outcome = 'started'
    having count(*) > 0;

    return query select * from unnest(firings);
end
$$;
