-- executions/find_queued: those of the queues $2 in which executions are pending; a claim decides whether limits let them begin.
select queue.name
from unnest($2::text[]) as queue (name)
where (
    select execution_id
    from durable.executions
    where executions.shard = $1
      and executions.queue = queue.name
      and executions.state = 'pending'
      and executions.wake_at is null
      and executions.concurrency_key is null
    limit 1
) is not null
or (
    select execution_id
    from durable.executions
    where executions.shard = $1
      and executions.queue = queue.name
      and executions.state = 'pending'
      and executions.wake_at is null
      and executions.concurrency_key is not null
    limit 1
) is not null
