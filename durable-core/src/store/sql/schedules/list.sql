-- schedules/list: the schedules that every filter that is not null allows, by name, after the name $3.
select
    schedule, workflow, version, queue, priority, input::text as input, concurrency_key, extract(epoch from time_to_live)::float8 as time_to_live, rule, timezone, starts_at, ends_at,
    extract(epoch from jitter)::float8 as jitter, missed, extract(epoch from missed_window)::float8 as missed_window,
    overlap, max_failures, declared, revision, enabled, disabled_reason, failures, last_error::text as last_error,
    next_due_at, created_at, updated_at, tags::text as tags
from durable.schedules
where ($1::text is null or workflow = $1)
  and ($2::bool is null or enabled = $2)
  and schedule > coalesce($3, '')
order by schedule
limit $4
