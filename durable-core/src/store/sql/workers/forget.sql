-- workers/forget: remove lost workers that hold nothing any more.
delete from durable.workers
where shard = $1
  and lost_at is not null
  and (
    select execution_id
    from durable.executions
    where executions.shard = $1 and executions.worker_id = workers.worker_id and executions.state = 'running'
    limit 1
  ) is null
