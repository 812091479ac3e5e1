-- doctor/find_lost_workers: workers whose lease is over and that hold executions nonetheless.
select workers.worker_id, workers.host, workers.process_id, held.executions
from durable.workers
cross join durable.present
cross join lateral (
    select count(*) as executions
    from durable.executions
    where executions.shard = $1 and executions.worker_id = workers.worker_id and executions.state = 'running'
) as held
where workers.shard = $1
  and (workers.lost_at is not null or workers.lease_until < present.at)
  and held.executions > 0
order by workers.worker_id
