-- workers/retire: mark worker $1 as lost once no write of it is in flight; its executions are then rescued.
with retired as materialized (
    select worker_id
    from durable.workers
    where worker_id = $1 and lost_at is null
    -- As when a worker is declared lost: no claim in flight may give it executions afterwards.
    for update
)
update durable.workers
set lost_at = present.at, lease_until = least(lease_until, present.at)
from retired, durable.present
where workers.worker_id = retired.worker_id
