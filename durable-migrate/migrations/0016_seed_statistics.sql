-- expand: give the planner statistics of full tables while they are empty; without them, plans of the first minutes would be poor ones.
-- Fills each table with a likely mix of rows, analyzes it and empties it. The statistics stay until there is something to analyze.
do $$
begin
    insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until)
    select gen_random_uuid(), 'host', n, '{default}', now(), now()
    from generate_series(1, 100) as n;

    insert into durable.executions (
        execution_id, created_at, version, priority, workflow, queue, key, concurrency_key, deduplication_key, debounce_key,
        schedule, scheduled_for, parent_id, parent_key, parent_policy, forked_from, input, state, epoch, claims, worker_id, rank, wake_at
    )
    select
        gen_random_uuid(), now(), 1, 0, 'workflow', 'default', case when n % 2 = 0 then n::text end,
        case when n % 3 = 0 then (n % 30)::text end, case when n % 5 = 0 then n::text end, case when n % 7 = 0 then n::text end,
        case when n % 5 = 1 then 'schedule' end, case when n % 5 = 1 then now() end,
        case when n % 5 = 2 then gen_random_uuid() end, case when n % 5 = 2 then 'child' end, case when n % 5 = 2 then 'await' end,
        case when n % 5 = 3 then gen_random_uuid() end,
        'null', (array['pending', 'running', 'waiting', 'pending'])[n % 4 + 1], 1, 1, gen_random_uuid(),
        now() + n * interval '1 second', case when n % 4 = 2 then now() end
    from generate_series(1, 1000) as n;

    insert into durable.checkpoints (execution_id, digest, started_at, finished_at, attempt, key, output)
    select execution_id, 1, now(), now(), 1, 'step ' || n, 'null'
    from durable.executions
    cross join generate_series(1, 3) as n;

    insert into durable.attempts (execution_id, started_at, attempt, key)
    select execution_id, now(), n, 'step'
    from durable.executions
    cross join generate_series(1, 2) as n;

    insert into durable.waits (execution_id, started_at, due_at, key, kind, name)
    select execution_id, now(), now(), 'wait ' || n, (array['sleep', 'event', 'input'])[n], ''
    from durable.executions
    cross join generate_series(1, 3) as n;

    insert into durable.mailbox (execution_id, message_id, sent_at, kind, name, payload)
    select execution_id, gen_random_uuid(), now(), 'event', 'name', 'null'
    from durable.executions;

    insert into durable.schedules (
        schedule, created_at, workflow, version, queue, priority, input, rule, timezone, jitter, missed, overlap, declared,
        revision, updated_at, enabled, failures, next_due_at
    )
    select
        'schedule ' || n, now(), 'workflow', 1, 'default', 0, 'null', '@daily', 'UTC', '0', 'one',
        (array['allow', 'skip', 'queue', 'cancel'])[n % 4 + 1], false, 1, now(), n % 8 > 0, 0, now() + n * interval '1 minute'
    from generate_series(1, 1000) as n;

    insert into durable.schedule_firings (schedule, due_at, fired_at, cause, outcome, execution_id, judged_at)
    select
        schedule, now() - n * interval '1 day', now() - n * interval '1 day', 'due', outcome,
        case when outcome = 'started' then gen_random_uuid() end,
        case when outcome = 'started' and n > 2 then now() end
    from durable.schedules
    cross join generate_series(1, 10) as n
    cross join lateral (select case n when 1 then 'queued' when 9 then 'skipped' else 'started' end as outcome) as came_of_it;

    analyze durable.clock, durable.workers, durable.executions, durable.checkpoints, durable.attempts, durable.waits, durable.mailbox,
        durable.schedules, durable.schedule_firings;

    truncate durable.workers, durable.executions, durable.checkpoints, durable.attempts, durable.waits, durable.mailbox,
        durable.schedules, durable.schedule_firings;
    -- The rows above took numbers.
    perform setval('durable.journal_ordinals', 1, false), setval('durable.mailbox_arrival_seq', 1, false);
end
$$;
