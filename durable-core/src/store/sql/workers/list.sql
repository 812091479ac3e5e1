-- workers/list: the workers, youngest first; those that were lost stand here until somebody has taken over what they held.
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
