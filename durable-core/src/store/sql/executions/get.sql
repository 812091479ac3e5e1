-- executions/get: read: one execution, whole.
select
    execution_id, workflow, version, queue, priority, key, concurrency_key, deduplication_key, debounce_key, epoch,
    case when finished_at is null and rollback is not null then 'compensating' else state end as state,
    input::text as input, output::text as output, error::text as error, rollback::text as rollback,
    created_at, started_at, nullif(wake_at, 'infinity') as wake_at, expires_at, deadline_at, finished_at,
    parent_id, parent_key, parent_policy, parent_notified_at, undoes, schedule, scheduled_for, forked_from,
    case when finished_at is null then paused_at end as paused_at
from durable.executions
where execution_id = $1
