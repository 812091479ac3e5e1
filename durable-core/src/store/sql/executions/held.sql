-- executions/held: upkeep: claim anew what worker $1 holds besides $2 at epochs $3, as where the answer to a claim was lost on
-- the way; at least one row.
with fence as materialized (
    select worker_id
    from durable.workers
    where worker_id = $1 and lost_at is null
    for key share
),
unknown as materialized (
    select execution_id
    from durable.executions
    where worker_id = $1
      and state = 'running'
      and epoch < 2147483647
      -- One that it knows at an earlier epoch has come to rest since, and was claimed again.
      and (execution_id, epoch) not in (select * from unnest($2::uuid[], $3::int4[]))
      and exists (select from fence)
),
-- No claim goes out meanwhile. A row that another transaction holds is passed over, and said to be.
locked as materialized (
    select execution_id
    from durable.executions
    where execution_id = any (array(select execution_id from unknown))
      and worker_id = $1
      and state = 'running'
    for no key update skip locked
),
adopted as (
    update durable.executions
    -- Writes of the earlier claim are refused from now on. If no worker can ever write the execution, it is claimed too often.
    set epoch = epoch + 1,
        claims = least(claims, 32766) + 1
    where execution_id = any (array(select execution_id from locked))
    returning
        execution_id,
        epoch,
        workflow,
        version,
        queue,
        -- An attempt is cut off where it was claimed before and ran; this claim is not one after a crash.
        (claims - 1)::smallint as claims,
        deadline_at,
        coalesce(continued_with, input)::text as input,
        rollback::text as rollback,
        undoes,
        coalesce(parent_policy = 'await', false) as awaited,
        scheduled_for,
        coalesce(namespace, execution_id) as namespace,
        step_key,
        owner_id,
        owner_namespace,
        trace_context,
        started_at,
        case when rank between '0001-01-01' and '9999-12-31' then rank + make_interval(mins => priority) end as ready_at,
        null::text as resolved,
        -- Assume that a limit counts it: one needless notice of a free place does no harm.
        true as limited
)
select adopted.*, passed_over.executions as passed_over
from (
    select count(*) as executions from unknown where execution_id <> all (array(select execution_id from locked))
) as passed_over
left join adopted on true
