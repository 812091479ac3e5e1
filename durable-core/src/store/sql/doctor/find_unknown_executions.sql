-- doctor/find_unknown_executions: pending executions whose workflow no worker on their queue knows, up to $1 kinds, and what the workers know instead.
with queued as materialized (
    select
        queue, workflow, version, workflow || '@' || version as label, rollback is not null as undone,
        count(*) as executions, min(created_at) as since
    from durable.executions
    where state = 'pending' and wake_at is null
    group by queue, workflow, version, rollback is not null
),
claiming as materialized (
    select workers.queues, workers.workflows
    from durable.workers
    cross join durable.present
    where workers.lost_at is null
      and workers.deprecated_at is null
      and workers.lease_until >= present.at
)
select
    queued.queue,
    queued.workflow,
    queued.version,
    queued.undone,
    queued.executions,
    queued.since,
    array(
        select distinct substring(known.label from '[0-9]+$')::int as version
        from claiming
        cross join unnest(claiming.workflows) as known (label)
        where queued.queue = any (claiming.queues)
          and known.label = queued.workflow || '@' || substring(known.label from '[0-9]+$')
        order by version
    ) as versions,
    array(
        select distinct served.queue
        from claiming
        cross join unnest(claiming.queues) as served (queue)
        where queued.label = any (claiming.workflows)
        order by served.queue
    ) as queues
from queued
-- If no worker claims from the queue, find_unserved_queues reports it. A worker that does not list its workflows may know them.
where exists (select from claiming where queued.queue = any (claiming.queues))
  and not exists (
    select
    from claiming
    where queued.queue = any (claiming.queues)
      and (claiming.workflows is null or queued.label = any (claiming.workflows))
  )
order by queued.queue, queued.workflow, queued.version, queued.undone
limit $1
