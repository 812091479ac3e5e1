-- workers/retire: end the life of worker $2, which has let go of everything, or will have it rescued.
update durable.workers
set lost_at = present.at, lease_until = least(lease_until, present.at)
from durable.present
where shard = $1 and worker_id = $2 and lost_at is null
