-- queues/list: every queue with settings, a worker or pending executions, or only queue $1: its limits and its contents.
with recursive holder as (
    (
        select worker_id
        from durable.executions
        where state = 'running'
        order by worker_id
        limit 1
    )
    union all
    select next.worker_id
    from holder
    cross join lateral (
        select executions.worker_id
        from durable.executions
        where executions.state = 'running' and executions.worker_id > holder.worker_id
        order by executions.worker_id
        limit 1
    ) as next
),
running as (
    select queue, count(*) as executions
    from durable.executions
    where state = 'running'
      and worker_id = any (array(select worker_id from holder))
    group by queue
),
pending as (
    select queue, count(*) as executions, min(created_at) as oldest_at
    from durable.executions
    where state = 'pending' and wake_at is null and concurrency_key is null
      and ($1::text is null or queue = $1)
    group by queue
    union all
    select queue, count(*), min(created_at)
    from durable.executions
    where state = 'pending' and wake_at is null and concurrency_key is not null
      and ($1::text is null or queue = $1)
    group by queue
),
known as (
    select queue from durable.queues
    union
    select unnest(queues) from durable.workers where lost_at is null
    union
    select queue from running
    union
    select queue from pending
)
select
    known.queue,
    coalesce((select sum(executions)::int8 from pending where pending.queue = known.queue), 0) as pending,
    (select min(oldest_at) from pending where pending.queue = known.queue) as oldest_pending_at,
    coalesce((select executions from running where running.queue = known.queue), 0) as running,
    settings.concurrency,
    settings.rate,
    extract(epoch from settings.rate_period)::float8 as rate_period,
    settings.key_rate,
    extract(epoch from settings.key_rate_period)::float8 as key_rate_period,
    settings.paused_at
from known
left join durable.queues as settings on settings.queue = known.queue
where $1::text is null or known.queue = $1
order by known.queue
