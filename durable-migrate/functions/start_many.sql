-- start_many: create executions, each once; a key that exists gives back the execution that has it, and so does a deduplication key
-- whose execution has not ended, and a debounce key whose execution has not begun: that one is pushed back.
-- One row an item: `claimed`, `queued` or `existing`. A key with another input refuses them all.
-- For clients that have checked what they send, as the Rust one does; `start` is the verb for everyone else.
-- An item of a worker that has a free slot (hand_off) is created as already claimed by that worker.
create or replace function durable.start_many(
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
    scheduled_fors timestamptz[] default null
) returns table (item bigint, execution_id uuid, outcome text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    at timestamptz;
    created uuid[];
    known record;
    i int;
begin
    select present.at into at from durable.present;
    if worker_id is not null then
        -- Under the fence: a worker that is lost or deprecated must not create executions as its own.
        perform from durable.workers as fence
        where fence.worker_id = start_many.worker_id
          and fence.lost_at is null
          and fence.deprecated_at is null
        for key share;
        if not found then
            start_many.worker_id := null;
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

    created := durable.create_executions(
        at,
        execution_ids,
        workflows,
        versions,
        queues,
        priorities,
        inputs,
        keys,
        start_ats,
        delays,
        time_to_lives,
        concurrency_keys,
        deduplication_keys,
        debounce_keys,
        trace_contexts,
        start_many.worker_id,
        hand_offs,
        timeouts,
        schedules,
        scheduled_fors
    );
    if cardinality(created) = cardinality(execution_ids) then
        return query
        select
            asked.item,
            asked.execution_id,
            case when start_many.worker_id is not null and asked.hand_off then 'claimed' else 'queued' end
        from unnest(execution_ids, hand_offs) with ordinality as asked (execution_id, hand_off, item);
        return;
    end if;

    if deduplication_keys is not null then
        -- One that can never begin stands in nobody's way, even if it has not ended yet.
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
                when same_id.worker_id = start_many.worker_id and same_id.epoch = 1 then 'claimed'
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
                debounce_limits[i], concurrency_keys[i], time_to_lives[i], trace_contexts[i]
            );
            known.outcome := 'existing';
        end if;
        if known.execution_id is null then
            -- What stood in its way has ended or begun, or is deleted: there is room now.
            return query
            select known.item, again.execution_id, again.outcome
            from durable.start_many(
                execution_ids[i:i], workflows[i:i], versions[i:i], queues[i:i], priorities[i:i], keys[i:i],
                inputs[i:i], start_ats[i:i], delays[i:i], timeouts[i:i], hand_offs[i:i], start_many.worker_id,
                concurrency_keys[i:i], deduplication_keys[i:i], debounce_keys[i:i], debounce_limits[i:i],
                time_to_lives[i:i], trace_contexts[i:i], schedules[i:i], scheduled_fors[i:i]
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
