-- schedules/get: one schedule.
select
    schedule, workflow, version, queue, priority, input::text as input, concurrency_key, extract(epoch from time_to_live)::float8 as time_to_live, rule, timezone, starts_at, ends_at,
    extract(epoch from jitter)::float8 as jitter, missed, extract(epoch from missed_window)::float8 as missed_window,
    overlap, max_failures, declared, revision, enabled, disabled_reason, failures, last_error::text as last_error,
    next_due_at, created_at, updated_at, tags::text as tags
from durable.schedules
where schedule = $1
