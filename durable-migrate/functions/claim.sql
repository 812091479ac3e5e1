-- claim: take up to `room` pending executions of a queue that a worker knows, as many as the limits of the queue and of keys
-- allow. Skips those that another transaction holds. Where a rate held some back, a last row without an execution says until
-- when.
create or replace function durable.claim(
    worker_id uuid,
    queue text,
    room int,
    workflows text[],
    versions int[],
    timeouts float8[],
    labels text[],
    key_limits int[]
) returns table (
    execution_id uuid,
    epoch int,
    workflow text,
    version int,
    rank timestamptz,
    claims smallint,
    deadline_at timestamptz,
    input text,
    rollback text,
    undoes uuid,
    awaited boolean,
    scheduled_for timestamptz,
    namespace uuid,
    step_key text,
    owner_id uuid,
    owner_namespace uuid,
    trace_context text,
    started_at timestamptz,
    ready_at timestamptz,
    resolved text,
    limited boolean,
    retry_at timestamptz
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    choice record;
    at timestamptz;
    chosen uuid[];
    is_limited boolean := false;
begin
    perform from durable.workers as fence
    where fence.worker_id = claim.worker_id
      and fence.lost_at is null
      and fence.deprecated_at is null
    for key share;
    if not found then
        return;
    end if;

    if exists (
        select from durable.queues as configured
        where configured.queue = claim.queue
    ) or exists (
        select from durable.executions as keyed
        where keyed.queue = claim.queue
          and keyed.state = 'pending'
          and keyed.wake_at is null
          and keyed.concurrency_key is not null
    ) then
        select * into choice
        from durable.choose(claim.queue, claim.room, claim.workflows, claim.labels, claim.key_limits);
        at := choice.at;
        chosen := choice.chosen;
        is_limited := choice.limited;
        if choice.retry_at is not null then
            retry_at := choice.retry_at;
            return next;
        end if;
    else
        select present.at into at from durable.present;
        chosen := array(
            select pending.execution_id
            from durable.executions as pending
            where pending.queue = claim.queue
              and pending.state = 'pending'
              and pending.wake_at is null
              and pending.concurrency_key is null
              and pending.workflow || '@' || pending.version = any (claim.labels)
              -- One that cannot be claimed again must not keep the others from it.
              and pending.epoch < 2147483647
              and (pending.expires_at > at) is not false
              -- Once more, in the statement that sees them: what is started under new limits is not for a claim that did not see
              -- these.
              and not exists (
                select from durable.queues as configured
                where configured.queue = claim.queue
              )
            order by pending.rank, pending.execution_id
            limit claim.room
            for no key update skip locked
        );
    end if;
    if cardinality(chosen) = 0 then
        return;
    end if;

    -- Whatever is written under the claim is flushed after it, so the claim needs no flush of its own.
    perform set_config('synchronous_commit', 'off', true);
    return query
    update durable.executions as execution
    set state = 'running',
        worker_id = claim.worker_id,
        epoch = execution.epoch + 1,
        claims = least(execution.claims, 32766) + 1,
        started_at = coalesce(execution.started_at, at),
        expires_at = null,
        -- A rollback takes as long as it takes: with a deadline it would be woken for nothing, again and again.
        deadline_at = case
            when execution.rollback is null then coalesce(execution.deadline_at, at + make_interval(secs => known.timeout))
        end
    from unnest(workflows, versions, timeouts) as known (workflow, version, timeout)
    where execution.execution_id = any (chosen)
      and known.workflow = execution.workflow
      and known.version = execution.version
    returning
        execution.execution_id,
        execution.epoch,
        execution.workflow,
        execution.version,
        execution.rank,
        execution.claims,
        execution.deadline_at,
        coalesce(execution.continued_with, execution.input)::text,
        execution.rollback::text,
        execution.undoes,
        coalesce(execution.parent_policy = 'await', false),
        execution.scheduled_for,
        coalesce(execution.namespace, execution.execution_id),
        execution.step_key,
        execution.owner_id,
        execution.owner_namespace,
        execution.trace_context,
        execution.started_at,
        -- What goes on after a wait keeps its place in line, which says nothing of how long it was ready.
        case
            when execution.started_at = at and execution.rank between '0001-01-01' and '9999-12-31'
                then execution.rank + make_interval(mins => execution.priority)
        end,
        -- Those that ended since it rested: what goes on in memory knows the others, and what is replayed loads its journal.
        -- Null where they are too large for a claim of many: then all of it is in the journal.
        case when execution.epoch > 1 and (
            select coalesce(sum(octet_length(waiting.payload::text)), 0)
            from durable.waits as waiting
            where waiting.execution_id = execution.execution_id
              and waiting.outcome is not null
              and (waiting.resolved_ordinal < execution.rested_ordinal) is not true
        ) <= 8388608 then (
            select coalesce(json_agg(json_build_object(
                'key', waiting.key, 'outcome', waiting.outcome, 'payload', waiting.payload, 'child_id', waiting.child_id,
                'answered_by', waiting.answered_by, 'resolved_at', waiting.resolved_at, 'message_id', waiting.message_id
            )), '[]')::text
            from durable.waits as waiting
            where waiting.execution_id = execution.execution_id
              and waiting.outcome is not null
              and (waiting.resolved_ordinal < execution.rested_ordinal) is not true
        ) end,
        is_limited or execution.concurrency_key is not null,
        null::timestamptz;
end
$$;
