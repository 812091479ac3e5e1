-- schedules/put: create schedule $1, or change it if its definition differs; only revision $19, if that is given. It stays
-- enabled or disabled, and its next due time stays unless its timing changes. Return its revision if it was created or changed.
insert into durable.schedules (
    schedule, created_at, workflow, version, queue, priority, input, rule, timezone, starts_at, ends_at, jitter,
    missed, missed_window, overlap, max_failures, declared, revision, updated_at, enabled, failures, next_due_at, concurrency_key,
    time_to_live, tags
)
select
    $1, present.at, $2, $3, $4, $5, $6::json, $7, $8, $9, $10, make_interval(secs => $11),
    $12, make_interval(secs => $13), $14, $15, $16, 1, present.at, $18, 0, $17, $20, make_interval(secs => $21), $22::json
from durable.present
where $19::int4 is null
   or exists (
       select
       from durable.schedules
       where schedule = $1 and revision = $19
   )
on conflict (schedule) do update
set workflow = excluded.workflow,
    version = excluded.version,
    queue = excluded.queue,
    priority = excluded.priority,
    input = excluded.input,
    concurrency_key = excluded.concurrency_key,
    time_to_live = excluded.time_to_live,
    tags = excluded.tags,
    rule = excluded.rule,
    timezone = excluded.timezone,
    starts_at = excluded.starts_at,
    ends_at = excluded.ends_at,
    jitter = excluded.jitter,
    missed = excluded.missed,
    missed_window = excluded.missed_window,
    overlap = excluded.overlap,
    max_failures = excluded.max_failures,
    declared = excluded.declared,
    revision = schedules.revision + 1,
    updated_at = excluded.updated_at,
    next_due_at = case
        when (schedules.rule, schedules.timezone, schedules.starts_at, schedules.ends_at)
            is distinct from (excluded.rule, excluded.timezone, excluded.starts_at, excluded.ends_at)
        then excluded.next_due_at
        else schedules.next_due_at
    end
where ($19::int4 is null or schedules.revision = $19)
  and (
      schedules.input::jsonb is distinct from excluded.input::jsonb
      or schedules.tags::jsonb is distinct from excluded.tags::jsonb
      or (
          schedules.workflow, schedules.version, schedules.queue, schedules.priority, schedules.rule, schedules.timezone,
          schedules.starts_at, schedules.ends_at, schedules.jitter, schedules.missed, schedules.missed_window, schedules.overlap,
          schedules.max_failures, schedules.declared, schedules.concurrency_key, schedules.time_to_live
      ) is distinct from (
          excluded.workflow, excluded.version, excluded.queue, excluded.priority, excluded.rule, excluded.timezone,
          excluded.starts_at, excluded.ends_at, excluded.jitter, excluded.missed, excluded.missed_window, excluded.overlap,
          excluded.max_failures, excluded.declared, excluded.concurrency_key, excluded.time_to_live
      )
  )
returning revision
