-- executions/list_children: as list, of the children of execution $13.
select
    execution_id, workflow, version, queue, priority, key, concurrency_key, deduplication_key, debounce_key, epoch, shown.state,
    input::text as input, output::text as output, error::text as error, rollback::text as rollback,
    created_at, started_at, nullif(wake_at, 'infinity') as wake_at, expires_at, deadline_at, finished_at,
    parent_id, parent_key, parent_policy, parent_notified_at, undoes, schedule, scheduled_for, forked_from,
    case when finished_at is null then paused_at end as paused_at
from durable.executions
cross join lateral (
    select case when finished_at is null and rollback is not null then 'compensating' else executions.state end as state
) as shown
where parent_id = $13
  and ($1::text[] is null or shown.state = any ($1))
  and ($2::text is null or workflow = $2)
  and ($12::int is null or version = $12)
  and ($3::text is null or queue = $3)
  and ($4::text is null or key = $4)
  and ($5::timestamptz is null or created_at >= $5)
  and ($6::timestamptz is null or created_at < $6)
  and execution_id < coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  and execution_id >= coalesce($9::uuid, '00000000-0000-0000-0000-000000000000')
  and execution_id <= coalesce($10::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  and (not $11 or paused_at is not null and finished_at is null)
order by execution_id desc
limit $8
