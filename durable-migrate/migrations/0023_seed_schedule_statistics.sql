-- expand: tell the planner what the tables of schedules will look like, before there is anything to analyze; see seed_statistics.
do $$
begin
    -- Tables in use have statistics of their own.
    if exists (select from durable.schedules) then
        return;
    end if;

    insert into durable.schedules (
        shard, schedule, created_at, workflow, version, queue, priority, input, rule, timezone, jitter, missed, overlap, declared,
        revision, updated_at, enabled, failures, next_due_at
    )
    select
        0, 'schedule ' || n, now(), 'workflow', 1, 'default', 0, 'null', '@daily', 'UTC', '0', 'one',
        (array['allow', 'skip', 'queue', 'cancel'])[n % 4 + 1], false, 1, now(), n % 8 > 0, 0, now() + n * interval '1 minute'
    from generate_series(1, 1000) as n;

    insert into durable.schedule_fires (shard, schedule, due_at, fired_at, cause, outcome, execution_id, judged_at)
    select
        0, schedule, now() - n * interval '1 day', now() - n * interval '1 day', 'due', outcome,
        case when outcome = 'started' then gen_random_uuid() end,
        case when outcome = 'started' and n > 2 then now() end
    from durable.schedules
    cross join generate_series(1, 10) as n
    cross join lateral (select case n when 1 then 'queued' when 9 then 'skipped' else 'started' end as outcome) as came_of_it;

    analyze durable.schedules, durable.schedule_fires;

    truncate durable.schedules, durable.schedule_fires;
end
$$;
