-- doctor/find_lost_workers: workers that are lost, or whose lease is over, and that still hold executions; some have no row.
select lost.worker_id, workers.host, workers.process_id, held.executions
from (
    select durable.lost_holders() as worker_id
    union all
    select workers.worker_id
    from durable.workers
    cross join durable.present
    where workers.lost_at is null and workers.lease_until < present.at
) as lost
left join durable.workers on workers.worker_id = lost.worker_id
cross join lateral (
    select count(*) as executions
    from durable.executions
    where executions.worker_id = lost.worker_id and executions.state = 'running'
) as held
where held.executions > 0
order by lost.worker_id
