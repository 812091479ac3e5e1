-- workers/expire: declare workers lost whose lease has run out; waits for no flush of theirs.
with expired as (
    select worker_id
    from durable.workers
    where shard = $1 and lease_until < (select at from durable.present) and lost_at is null
    for update skip locked
)
update durable.workers
set lost_at = present.at
from expired, durable.present
where workers.shard = $1 and workers.worker_id = expired.worker_id
returning workers.worker_id, workers.host, workers.process_id
