-- executions/claim: take up to $4 pending executions of queue $3 that worker $2 knows ($5 to $8); skip those another worker holds.
with fence as materialized (
    select worker_id
    from durable.workers
    where shard = $1 and worker_id = $2 and lost_at is null and deprecated_at is null
    for key share
),
now as materialized (
    -- Whatever is written under the claim is flushed after it, so the claim needs no flush of its own.
    select present.at, set_config('synchronous_commit', 'off', true)
    from durable.present
),
known as materialized (
    select *
    from unnest($5::text[], $6::int4[], $7::float8[]) as known (workflow, version, timeout)
),
due as materialized (
    select execution_id
    from durable.executions
    where shard = $1
      and queue = $3
      and state = 'pending'
      and wake_at is null
      and workflow || '@' || version = any ($8)
    order by priority desc, execution_id
    limit $4
    for no key update skip locked
)
update durable.executions
set state = 'running',
    worker_id = fence.worker_id,
    epoch = epoch + 1,
    claims = claims + 1,
    started_at = coalesce(started_at, now.at),
    -- A rollback takes as long as it takes: with a deadline it would be woken for nothing, again and again.
    deadline_at = case when rollback is null then coalesce(deadline_at, now.at + make_interval(secs => known.timeout)) end
from fence, now, known
where executions.shard = $1
  and executions.execution_id = any (array(select execution_id from due))
  and known.workflow = executions.workflow
  and known.version = executions.version
returning
    executions.execution_id,
    epoch,
    executions.workflow,
    executions.version,
    queue,
    priority,
    claims,
    deadline_at,
    input::text as input,
    rollback::text as rollback,
    undoes,
    coalesce(parent_bond = 'awaited', false) as awaited,
    -- Those that ended since it rested: what goes on in memory knows the others, and what is replayed loads its journal.
    case when epoch > 1 then (
        select json_agg(json_build_object(
            'key', waits.key, 'outcome', waits.outcome, 'payload', waits.payload, 'child_id', waits.child_id,
            'answered_by', waits.answered_by, 'resolved_at', waits.resolved_at
        ))::text
        from durable.waits
        where waits.shard = $1
          and waits.execution_id = executions.execution_id
          and waits.resolved_at >= coalesce(executions.rested_at, '-infinity')
    ) end as resolved
