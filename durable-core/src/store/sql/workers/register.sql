-- workers/register: add a worker with a lease of $5 seconds. It is deprecated if $9 says so, or if worker $11, which it follows, was.
insert into durable.workers (
    worker_id, host, process_id, queues, started_at, lease_until, version, slots, slots_in_use, deprecated_at, workflows, lease
)
select
    $1, $2, $3, $4, now.at, now.at + make_interval(secs => $5), $6, $7, $8,
    case when $9 or before.deprecated_at is not null then now.at end,
    $10, make_interval(secs => $5)
from durable.present as now
left join durable.workers as before on before.worker_id = $11::uuid
on conflict do nothing
