-- doctor/find_unserved_queues: queues with pending executions and without a live worker that claims; a deprecated worker does not claim.
with queued as materialized (
    select queue, count(*) as executions, min(created_at) as since
    from durable.executions
    where state = 'pending' and wake_at is null
    group by queue
)
select queued.queue, queued.executions, queued.since
from queued
where not exists (
    select
    from durable.workers, durable.present
    where workers.lost_at is null
      and workers.deprecated_at is null
      and workers.lease_until >= present.at
      and queued.queue = any (workers.queues)
)
order by queued.queue
