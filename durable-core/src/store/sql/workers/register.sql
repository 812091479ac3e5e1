-- workers/register: begin a worker's life with a lease of $6 seconds.
insert into durable.workers (shard, worker_id, host, process_id, queues, started_at, lease_until)
select $1, $2, $3, $4, $5, now.at, now.at + make_interval(secs => $6)
from durable.present as now
on conflict do nothing
