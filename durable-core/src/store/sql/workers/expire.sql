-- workers/expire: upkeep: declare workers lost whose lease is over, also by the reading $1 of the clock; skip a worker with a write in flight.
with now as materialized (
    select at from durable.present
),
expired as (
    select worker_id
    from durable.workers
    -- This process carries the reading forward itself, so a clock that was just set forward does not end leases.
    where lease_until < (select least(at, $1) from now) and lost_at is null
    for update skip locked
),
-- A lease ends at most one lease from now, unless the clock was set back. Then it is cut, so that a dead worker is replaced after one
-- lease, and not when the clock has reached the old time again.
too_long as (
    select worker_id
    from durable.workers
    where lease_until > (select at from now) + lease and lost_at is null
    for no key update skip locked
),
cut as (
    update durable.workers
    set lease_until = now.at + lease
    from too_long, now
    where workers.worker_id = too_long.worker_id
)
update durable.workers
set lost_at = now.at
from expired, now
where workers.worker_id = expired.worker_id
returning workers.worker_id, workers.host, workers.process_id
