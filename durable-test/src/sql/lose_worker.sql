-- lose_worker: end the lease of the worker with version $1; return whether another worker has declared it lost.
with ended as (
    update durable.workers
    set lease_until = present.at - interval '1 second'
    from durable.present
    where version = $1 and lost_at is null
    returning worker_id
)
select not exists (
    select from durable.workers where version = $1 and lost_at is null
) as lost, pg_notify('durable', 'clock') as notified, (select count(*) from ended) as ended
