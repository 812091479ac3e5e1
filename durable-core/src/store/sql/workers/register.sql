-- workers/register: add a worker with a lease of $5 seconds.
insert into durable.workers (
    worker_id, host, process_id, queues, started_at, lease_until, version, slots, slots_in_use, deprecated_at, workflows, lease
)
select $1, $2, $3, $4, now.at, now.at + make_interval(secs => $5), $6, $7, $8, case when $9 then now.at end, $10, make_interval(secs => $5)
from durable.present as now
on conflict do nothing
