-- schedules/due: read: up to $1 schedules that are due, and as many with something in line that can start; return the time, and when the next is due.
with now as materialized (
    select at
    from durable.present
),
due as materialized (
    select schedule
    from durable.schedules
    where enabled and next_due_at <= (select at from now)
    order by next_due_at
    limit $1
),
line as materialized (
    select distinct schedule
    from durable.schedule_firings
    where outcome = 'queued'
),
running as materialized (
    select schedule, execution_id
    from durable.schedule_firings
    where schedule = any (array(select schedule from line))
      and outcome = 'started'
      and judged_at is null
),
busy as materialized (
    select schedule
    from durable.executions
    where execution_id = any (array(select execution_id from running))
      and finished_at is null
),
free as materialized (
    select schedule
    from durable.schedules
    where enabled
      and schedule = any (array(select schedule from line))
      and schedule <> all (array(select schedule from busy where schedule is not null))
    limit $1
),
found as materialized (
    select *
    from durable.schedules
    where enabled
      and schedule = any (array(select schedule from due union all select schedule from free))
),
next as (
    select min(next_due_at) as at
    from durable.schedules
    where enabled and next_due_at > (select at from now)
)
select
    now.at as now,
    next.at as next_at,
    schedule,
    revision,
    rule,
    timezone,
    starts_at,
    ends_at,
    extract(epoch from jitter)::float8 as jitter,
    missed,
    extract(epoch from missed_window)::float8 as missed_window,
    next_due_at
from now
cross join next
left join found on true
