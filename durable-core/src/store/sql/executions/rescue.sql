-- executions/rescue: upkeep: return up to $1 executions of lost workers to their queues.
update durable.executions
set state = 'pending',
    wake_at = case when paused_at is not null then 'infinity'::timestamptz end,
    rank = coalesce(rank, durable.now())
where execution_id = any (array(
    select execution_id
    from durable.executions
    where state = 'running'
      and worker_id = any (array(select durable.lost_holders()))
    limit $1
    for no key update skip locked
  ))
  and state = 'running'
returning execution_id, queue, worker_id
