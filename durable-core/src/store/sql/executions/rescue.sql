-- executions/rescue: upkeep: give up to $2 executions of lost workers back to their queues.
update durable.executions
set state = 'pending',
    wake_at = case when paused_at is not null then 'infinity'::timestamptz end,
    rank = coalesce(rank, durable.now())
where shard = $1
  and execution_id = any (array(
    select execution_id
    from durable.executions
    where shard = $1
      and state = 'running'
      and worker_id = any (array(select durable.lost_holders($1)))
    limit $2
    for no key update skip locked
  ))
  and state = 'running'
returning execution_id, queue, worker_id
