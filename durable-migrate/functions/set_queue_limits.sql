-- set_queue_limits: set how many executions of a queue may run at once, and how many may begin in a period, over all workers.
-- Null means no limit, also for a limit that is left out. It writes nothing if the limits do not change.
create or replace function durable.set_queue_limits(
    queue text,
    concurrency int default null,
    rate int default null,
    rate_period interval default null,
    key_rate int default null,
    key_rate_period interval default null
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if set_queue_limits.queue is null or set_queue_limits.queue = '' then
        raise exception 'limits of a queue without a name' using errcode = 'UD422', hint = 'give the name of the queue';
    end if;
    perform durable.check_name('the name of a queue', set_queue_limits.queue);
    if least(set_queue_limits.concurrency, set_queue_limits.rate, set_queue_limits.key_rate) < 1 then
        raise exception 'queue `%` is given a limit of %', set_queue_limits.queue,
            least(set_queue_limits.concurrency, set_queue_limits.rate, set_queue_limits.key_rate)
        using errcode = 'UD422', hint = 'give at least 1; pause the queue to run nothing, and leave a limit out to lift it';
    end if;
    if (set_queue_limits.rate is null) <> (set_queue_limits.rate_period is null)
        or (set_queue_limits.key_rate is null) <> (set_queue_limits.key_rate_period is null)
        or least(set_queue_limits.rate_period, set_queue_limits.key_rate_period) <= '0'
    then
        raise exception 'a rate of queue `%` has no number or no period above zero', set_queue_limits.queue
        using errcode = 'UD422', hint = 'give both: rate => 5, rate_period => ''1 s''';
    end if;
    if least(set_queue_limits.rate_period, set_queue_limits.key_rate_period) < '1 ms'
        or greatest(set_queue_limits.rate_period, set_queue_limits.key_rate_period) > '1000 days'
    then
        raise exception 'a rate of queue `%` has a period that is not between 1 ms and 1000 days', set_queue_limits.queue
        using errcode = 'UD422', hint = 'give a number of executions and a period that a person would plan with';
    end if;
    insert into durable.queues (queue, concurrency, rate, rate_period, key_rate, key_rate_period, updated_at)
    values (
        set_queue_limits.queue, set_queue_limits.concurrency, set_queue_limits.rate, set_queue_limits.rate_period,
        set_queue_limits.key_rate, set_queue_limits.key_rate_period, durable.now()
    )
    on conflict on constraint queues_pkey do update
    set concurrency = excluded.concurrency,
        rate = excluded.rate,
        rate_period = excluded.rate_period,
        key_rate = excluded.key_rate,
        key_rate_period = excluded.key_rate_period,
        updated_at = excluded.updated_at
    where (queues.concurrency, queues.rate, queues.rate_period, queues.key_rate, queues.key_rate_period)
        is distinct from (excluded.concurrency, excluded.rate, excluded.rate_period, excluded.key_rate, excluded.key_rate_period);
end
$$;
