-- create_executions: insert executions, and return the ids of those that did not exist. Nothing else inserts executions.
-- An execution is left out if its id, its key, its deduplication key or its debounce key is taken. The arrays have one element for each
-- execution, except arrays that are null. The callers have checked the values: `start_many`, `start_children` and `take_over`.
create or replace function durable.create_executions(
    at timestamptz,
    execution_ids uuid[],
    workflows text[],
    versions int[],
    queues text[],
    priorities smallint[],
    inputs text[],
    keys text[] default null,
    -- When they may begin: at a time, or so many seconds from now; at once without either.
    start_ats timestamptz[] default null,
    delays float8[] default null,
    -- Seconds until their time to live is over, counted from when they may begin.
    time_to_lives float8[] default null,
    concurrency_keys text[] default null,
    deduplication_keys text[] default null,
    debounce_keys text[] default null,
    trace_contexts text[] default null,
    -- Those that are created as claimed by a worker, and the seconds that they may then take.
    worker_id uuid default null,
    claimed boolean[] default null,
    timeouts float8[] default null,
    schedules text[] default null,
    scheduled_fors timestamptz[] default null,
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
    undo_on_failures boolean[] default null
) returns uuid[]
language plpgsql volatile
-- Planned once: with the sizes of its arrays, an insert of one row would be planned anew at each call, which costs more than the row.
set plan_cache_mode = force_generic_plan
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    created uuid[];
begin
    with created as (
        insert into durable.executions (
            execution_id, created_at, version, priority, workflow, queue, key, concurrency_key, deduplication_key, debounce_key,
            schedule, scheduled_for, parent_id, parent_key, parent_policy, by_compensation, forked_from, namespace, undoes,
            step_key, owner_id, owner_namespace, undo_on_failure, trace_context, input, worker_id, rank, epoch, started_at,
            deadline_at, state, claims, wake_at, expires_at, rollback
        )
        select
            asked.execution_id,
            create_executions.at,
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
            durable.rank(greatest(asked.starts_at, create_executions.at), asked.priority),
            (asked.claimed or asked.forked_from is not null)::int,
            case when asked.claimed then create_executions.at end,
            case when asked.claimed then create_executions.at + make_interval(secs => asked.timeout) end,
            case when asked.claimed then 'running' else 'pending' end,
            asked.claimed::int,
            case when asked.starts_at > create_executions.at then asked.starts_at end,
            case when not asked.claimed then
                greatest(asked.starts_at, create_executions.at) + make_interval(secs => asked.time_to_live)
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
                coalesce(start_ats[i], create_executions.at + make_interval(secs => delays[i])) as starts_at,
                time_to_lives[i] as time_to_live,
                concurrency_keys[i] as concurrency_key,
                deduplication_keys[i] as deduplication_key,
                debounce_keys[i] as debounce_key,
                trace_contexts[i] as trace_context,
                create_executions.worker_id is not null and coalesce(create_executions.claimed[i], false) as claimed,
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
        on conflict do nothing
        returning execution_id
    )
    select coalesce(array_agg(created.execution_id), '{}') into created
    from created;
    return created;
end
$$;
