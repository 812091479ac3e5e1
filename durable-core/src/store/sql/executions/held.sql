-- executions/held: what worker $2 holds besides $3; claims whose answer was lost on the way.
select
    execution_id,
    epoch,
    workflow,
    version,
    queue,
    claims,
    deadline_at,
    input::text as input,
    rollback::text as rollback,
    undoes,
    coalesce(parent_bond = 'awaited', false) as awaited,
    scheduled_for,
    coalesce(namespace, execution_id) as namespace,
    trace_context,
    started_at,
    null::timestamptz as ready_at,
    null::text as resolved,
    -- Rather told once too often that a place is free.
    true as limited
from durable.executions
where shard = $1
  and worker_id = $2
  and state = 'running'
  and execution_id <> all ($3)
