-- workers/list: the workers, youngest first; a lost worker is listed until its executions are taken over.
select
    worker_id,
    host,
    process_id,
    version,
    queues,
    slots,
    slots_in_use,
    workflows,
    started_at,
    lease_until,
    deprecated_at,
    lost_at,
    unresponsive_since,
    stuck_executions
from durable.workers
order by worker_id desc
