-- workers/register: begin a worker's life with a lease of $6 seconds.
insert into durable.workers (
    shard, worker_id, host, process_id, queues, started_at, lease_until, version, slots, slots_in_use, deprecated_at, workflows, lease
)
select $1, $2, $3, $4, $5, now.at, now.at + make_interval(secs => $6), $7, $8, $9, case when $10 then now.at end, $11, make_interval(secs => $6)
from durable.present as now
on conflict do nothing
