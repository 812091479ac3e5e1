-- expand: tell the planner what every table will look like, before there is anything to analyze: one shard, unique ids.
-- Without it a statement planned on an empty table takes `shard = 0` for selective, and reads the whole shard.
do $$
begin
    -- Tables in use have statistics of their own.
    if exists (select from durable.executions) then
        return;
    end if;

    insert into durable.workers (shard, worker_id, host, process_id, queues, started_at, lease_until)
    select 0, gen_random_uuid(), 'host', n, '{default}', now(), now()
    from generate_series(1, 100) as n;

    insert into durable.executions (
        shard, execution_id, created_at, version, priority, workflow, queue, key, input, state, epoch, claims, worker_id, wake_at
    )
    select
        0, gen_random_uuid(), now(), 1, 0, 'workflow', 'default', case when n % 2 = 0 then n::text end, 'null',
        (array['pending', 'running', 'waiting', 'pending'])[n % 4 + 1], 1, 1, gen_random_uuid(), case when n % 4 = 2 then now() end
    from generate_series(1, 1000) as n;

    insert into durable.checkpoints (execution_id, digest, started_at, finished_at, shard, attempt, key, output)
    select execution_id, 1, now(), now(), 0, 1, 'step ' || n, 'null'
    from durable.executions
    cross join generate_series(1, 3) as n;

    insert into durable.attempts (execution_id, started_at, shard, attempt, key)
    select execution_id, now(), 0, n, 'step'
    from durable.executions
    cross join generate_series(1, 2) as n;

    insert into durable.waits (execution_id, started_at, due_at, shard, key, kind, name)
    select execution_id, now(), now(), 0, 'wait ' || n, (array['sleep', 'event', 'input'])[n], ''
    from durable.executions
    cross join generate_series(1, 3) as n;

    insert into durable.mailbox (shard, execution_id, message_id, sent_at, kind, name, payload)
    select 0, execution_id, gen_random_uuid(), now(), 'event', 'name', 'null'
    from durable.executions;

    analyze durable.clock, durable.workers, durable.executions, durable.checkpoints, durable.attempts, durable.waits, durable.mailbox;

    truncate durable.workers, durable.executions, durable.checkpoints, durable.attempts, durable.waits, durable.mailbox;
end
$$;
