-- workers/beat: upkeep: extend the lease of worker $1, even if it is over, unless the worker was declared lost; write its troubles; return the time.
-- $5 is the number of seconds for which its runtime has not answered; the code of executions $6 does not return.
with now as materialized (
    select present.at, set_config('synchronous_commit', 'off', true)
    from durable.present
),
extended as (
    update durable.workers
    set lease_until = now.at + make_interval(secs => $2),
        slots_in_use = $3,
        troubles = $4::text::json,
        unresponsive_since = now.at - make_interval(secs => $5::float8),
        stuck_executions = $6
    from now
    where worker_id = $1 and lost_at is null
    returning deprecated_at is not null as deprecated
)
select
    now.at as now,
    clock.frozen_at is not null as frozen,
    exists (select from extended) as held,
    exists (select from extended where deprecated) as deprecated
from now, durable.clock
