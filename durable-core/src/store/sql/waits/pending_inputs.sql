-- waits/pending_inputs: up to $3 inputs that are still open, nearest deadline first; filters may be null.
-- Only those after the deadline $4, the execution $5 and the key $6.
select
    waits.execution_id, execution.workflow, waits.key, waits.name, waits.form, waits.prompt,
    waits.schema::text as schema, waits.metadata::text as metadata, waits.assignee,
    waits.started_at as asked_at, waits.due_at,
    refusal.refused_at, refusal.reason, refusal.payload::text as refused_payload, refusal.sent_by
from durable.waits
cross join lateral (
    select workflow, state, deadline_at, rollback
    from durable.executions
    where executions.execution_id = waits.execution_id
    limit 1
) as execution
left join lateral (
    select refused_at, reason, payload, sent_by
    from durable.refusals
    where refusals.execution_id = waits.execution_id and refusals.key = waits.key
    order by refused_at desc
    limit 1
) as refusal on true
where waits.kind = 'input'
  and waits.outcome is null
  and ($1::text is null or execution.workflow = $1)
  and ($2::timestamptz is null or waits.due_at < $2)
  and ($7::text is null or waits.assignee = $7)
  and ($8::uuid is null or waits.execution_id = $8)
  and execution.state in ('pending', 'running', 'waiting')
  -- The database's clock ends a wait, even if no worker has noticed yet.
  and (waits.due_at is null or waits.due_at > durable.now())
  and (execution.deadline_at is null or execution.rollback is not null or execution.deadline_at > durable.now())
  and (
    $5::uuid is null
    or (coalesce(waits.due_at, 'infinity'), waits.execution_id, waits.key) > (coalesce($4::timestamptz, 'infinity'), $5, $6::text)
  )
order by coalesce(waits.due_at, 'infinity'), waits.execution_id, waits.key
limit $3
