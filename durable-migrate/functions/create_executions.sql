-- create_executions: create executions, each once; nothing else inserts any. One row for each item: `claimed`, `queued` or
-- `existing`. A key that exists gives back the execution that has it, and so does a deduplication key whose execution has not
-- ended, and a debounce key whose execution has not begun: that one is pushed back. A key with another input refuses them all.
-- Its callers have checked what they send: the Rust client, and `start`, the verb for everyone else. `start_children`,
-- `take_over` and `start_firings` compose it. Each array has one element for each item, or is null. An item of a worker that has
-- a free slot (hand_off) is created as already claimed by that worker. The function that had no `tags` is dropped: a call without
-- them would fit both.
drop function if exists durable.create_executions(
    uuid[], text[], int[], text[], smallint[], text[], text[], timestamptz[], float8[], float8[], boolean[], uuid, text[], text[],
    text[], float8[], float8[], text[], text[], timestamptz[], boolean, uuid[], text[], text[], boolean[], uuid[], json[], uuid[],
    uuid[], text[], uuid[], uuid[], boolean[]
);
create or replace function durable.create_executions(
    execution_ids uuid[],
    workflows text[],
    versions int[],
    queues text[],
    priorities smallint[],
    keys text[],
    inputs text[],
    start_ats timestamptz[],
    delays float8[],
    timeouts float8[] default null,
    hand_offs boolean[] default null,
    worker_id uuid default null,
    concurrency_keys text[] default null,
    deduplication_keys text[] default null,
    debounce_keys text[] default null,
    debounce_limits float8[] default null,
    time_to_lives float8[] default null,
    trace_contexts text[] default null,
    schedules text[] default null,
    scheduled_fors timestamptz[] default null,
    -- Leaves out executions whose id or keys are taken, instead of finding the executions that have them.
    only_new boolean default false,
    parent_ids uuid[] default null,
    parent_keys text[] default null,
    parent_policies text[] default null,
    by_compensations boolean[] default null,
    -- The completed children that they undo, and why they begin in rollback.
    undoes uuid[] default null,
    rollbacks json[] default null,
    -- The executions whose journals they take over; these have begun before.
    forked_froms uuid[] default null,
    namespaces uuid[] default null,
    -- The steps that they run for other executions.
    step_keys text[] default null,
    owner_ids uuid[] default null,
    owner_namespaces uuid[] default null,
    undo_on_failures boolean[] default null,
    -- JSON objects of texts.
    tags text[] default null
) returns table (item bigint, execution_id uuid, outcome text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    at timestamptz;
    created int;
    known record;
    i int;
begin
    select present.at into at from durable.present;
    if worker_id is not null then
        -- Under the fence: a worker that is lost or deprecated must not create executions as its own.
        perform from durable.workers as fence
        where fence.worker_id = create_executions.worker_id
          and fence.lost_at is null
          and fence.deprecated_at is null
        for key share;
        if not found then
            create_executions.worker_id := null;
        end if;
        -- Where limits count or nothing may begin, it is for the claim to say what does.
        hand_offs := array(
            select asked.hand_off and asked.concurrency_key is null and asked.queue <> all (array(
                select limits.queue
                from durable.queues as limits
                where limits.queue = any (queues)
                  and num_nonnulls(limits.concurrency, limits.rate, limits.key_rate, limits.paused_at) > 0
            ))
            from unnest(hand_offs, queues, concurrency_keys) as asked (hand_off, queue, concurrency_key)
        );
    end if;

    insert into durable.executions (
        execution_id, created_at, version, priority, workflow, queue, key, concurrency_key, deduplication_key, debounce_key,
        schedule, scheduled_for, parent_id, parent_key, parent_policy, by_compensation, forked_from, namespace, undoes,
        step_key, owner_id, owner_namespace, undo_on_failure, trace_context, input, worker_id, rank, epoch, started_at,
        deadline_at, state, claims, wake_at, expires_at, rollback
    )
    select
        asked.execution_id,
        at,
        asked.version,
        asked.priority,
        asked.workflow,
        asked.queue,
        asked.key,
        asked.concurrency_key,
        asked.deduplication_key,
        asked.debounce_key,
        asked.schedule,
        asked.scheduled_for,
        asked.parent_id,
        asked.parent_key,
        asked.parent_policy,
        asked.by_compensation,
        asked.forked_from,
        asked.namespace,
        asked.undoes,
        asked.step_key,
        asked.owner_id,
        asked.owner_namespace,
        asked.undo_on_failure,
        asked.trace_context,
        asked.input::json,
        case when asked.claimed then create_executions.worker_id end,
        durable.rank(greatest(asked.starts_at, at), asked.priority),
        (asked.claimed or asked.forked_from is not null)::int,
        case when asked.claimed then at end,
        case when asked.claimed then at + make_interval(secs => asked.timeout) end,
        case when asked.claimed then 'running' else 'pending' end,
        asked.claimed::int,
        case when asked.starts_at > at then asked.starts_at end,
        case when not asked.claimed then
            greatest(asked.starts_at, at) + make_interval(secs => asked.time_to_live)
        end,
        asked.rollback
    from (
        -- By subscript: for the one item of a lone start, `unnest` of so many arrays would cost more than the insert.
        select
            execution_ids[i] as execution_id,
            workflows[i] as workflow,
            versions[i] as version,
            queues[i] as queue,
            priorities[i] as priority,
            inputs[i] as input,
            keys[i] as key,
            coalesce(start_ats[i], at + make_interval(secs => delays[i])) as starts_at,
            time_to_lives[i] as time_to_live,
            concurrency_keys[i] as concurrency_key,
            deduplication_keys[i] as deduplication_key,
            debounce_keys[i] as debounce_key,
            trace_contexts[i] as trace_context,
            create_executions.worker_id is not null and coalesce(hand_offs[i], false) as claimed,
            timeouts[i] as timeout,
            schedules[i] as schedule,
            scheduled_fors[i] as scheduled_for,
            parent_ids[i] as parent_id,
            parent_keys[i] as parent_key,
            parent_policies[i] as parent_policy,
            by_compensations[i] as by_compensation,
            create_executions.undoes[i] as undoes,
            rollbacks[i] as rollback,
            forked_froms[i] as forked_from,
            namespaces[i] as namespace,
            step_keys[i] as step_key,
            owner_ids[i] as owner_id,
            owner_namespaces[i] as owner_namespace,
            undo_on_failures[i] as undo_on_failure
        from generate_series(1, cardinality(execution_ids)) as i
    ) as asked
    on conflict do nothing;

    get diagnostics created = row_count;
    if tags is not null then
        -- Of an execution that an earlier try has created, the tags may have been set to others since.
        insert into durable.execution_tags (execution_id, name, value)
        select execution_ids[i], tag.key, tag.value
        from generate_series(1, cardinality(execution_ids)) as i
        cross join lateral json_each_text(tags[i]::json) as tag
        where created = cardinality(execution_ids)
           or exists (select from durable.executions as execution where execution.execution_id = execution_ids[i])
        on conflict do nothing;
    end if;
    if created = cardinality(execution_ids) then
        return query
        select
            asked.item,
            asked.execution_id,
            case when create_executions.worker_id is not null and asked.hand_off then 'claimed' else 'queued' end
        from unnest(execution_ids, hand_offs) with ordinality as asked (execution_id, hand_off, item);
        return;
    end if;

    if only_new then
        return query
        select asked.item, asked.execution_id, 'queued'
        from unnest(execution_ids) with ordinality as asked (execution_id, item)
        where created > 0
          and exists (select from durable.executions as execution where execution.execution_id = asked.execution_id);
        return;
    end if;

    if deduplication_keys is not null then
        -- An expired execution no longer blocks its deduplication key, even before its end is recorded.
        update durable.executions
        set deduplication_key = null
        where execution_id = any (array(
            select expired.execution_id
            from durable.executions as expired
            where expired.workflow = any (workflows)
              and expired.deduplication_key = any (deduplication_keys)
              and expired.finished_at is null
              and expired.expires_at <= at
            for no key update skip locked
        ));
    end if;

    for known in
        select
            asked.item,
            asked.key,
            coalesce(same_id.execution_id, same_key.execution_id, unfinished.execution_id) as execution_id,
            case
                when same_id.worker_id = create_executions.worker_id and same_id.epoch = 1 then 'claimed'
                when same_id.execution_id is not null then 'queued'
                when coalesce(durable.same_input(same_key.input, asked.input::json), unfinished.execution_id is not null) then 'existing'
            end as outcome
        from unnest(execution_ids, workflows, keys, inputs, deduplication_keys)
            with ordinality as asked (execution_id, workflow, key, input, deduplication_key, item)
        left join lateral (
            select *
            from durable.executions as execution
            where execution.execution_id = asked.execution_id
            limit 1
        ) as same_id on true
        left join lateral (
            select *
            from durable.executions as execution
            where execution.workflow = asked.workflow and execution.key = asked.key
            limit 1
        ) as same_key on true
        left join lateral (
            select execution.execution_id
            from durable.executions as execution
            where execution.workflow = asked.workflow
              and execution.deduplication_key = asked.deduplication_key
              and execution.finished_at is null
            limit 1
        ) as unfinished on true
    loop
        i := known.item;
        if known.execution_id is null and debounce_keys[i] is not null then
            known.execution_id := durable.debounce(
                workflows[i], debounce_keys[i], versions[i], queues[i], priorities[i], inputs[i]::json, delays[i],
                debounce_limits[i], concurrency_keys[i], time_to_lives[i], trace_contexts[i], tags[i]::json
            );
            known.outcome := 'existing';
        end if;
        if known.execution_id is null then
            -- What stood in its way has ended or begun, or is deleted: there is room now.
            return query
            select known.item, again.execution_id, again.outcome
            from durable.create_executions(
                execution_ids[i:i], workflows[i:i], versions[i:i], queues[i:i], priorities[i:i], keys[i:i],
                inputs[i:i], start_ats[i:i], delays[i:i], timeouts[i:i], hand_offs[i:i], create_executions.worker_id,
                concurrency_keys[i:i], deduplication_keys[i:i], debounce_keys[i:i], debounce_limits[i:i],
                time_to_lives[i:i], trace_contexts[i:i], schedules[i:i], scheduled_fors[i:i], tags => tags[i:i]
            ) as again;
            continue;
        end if;
        if known.outcome is null then
            raise exception 'execution % has the key `%` with another input', known.execution_id, known.key
            using errcode = 'UD409', hint = 'use a new key, or start with the same input to get that execution';
        end if;
        item := known.item;
        execution_id := known.execution_id;
        outcome := known.outcome;
        return next;
    end loop;
end
$$;
