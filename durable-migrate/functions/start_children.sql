-- start_children: create the children that were registered as waits just now, each once, bound to its parent.
-- One that is not waited for, or whose key is taken, resolves its wait at once. Under lock_mailbox of the parents in `held`.
create or replace function durable.start_children(
    held uuid[], parent_ids uuid[], parent_keys text[], kinds text[], details text[], at timestamptz
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with asked as materialized (
        select
            wait.execution_id as parent_id,
            wait.key as parent_key,
            (wait.details::json -> 'child' ->> 'id')::uuid as child_id,
            wait.details::json -> 'child' as child
        from unnest($2, $3, $4, $5) as wait (execution_id, key, kind, details)
        join durable.waits as registered on registered.execution_id = wait.execution_id and registered.key = wait.key
        where wait.kind = 'child'
          and registered.execution_id = any ($1)
          -- One that was registered before has its child.
          and registered.child_id is null
          and registered.outcome is null
    ),
    undone as materialized (
        select executions.execution_id, workflow, version, queue, priority, input, concurrency_key
        from durable.executions
        where executions.execution_id = any (array(select (child ->> 'undoes')::uuid from asked))
    ),
    -- A child without a priority of its own has its parent's, and its concurrency key.
    parents as materialized (
        select executions.execution_id, priority, concurrency_key
        from durable.executions
        where executions.execution_id = any (array(select parent_id from asked where child ->> 'priority' is null))
    ),
    created as (
        insert into durable.executions (
            execution_id, created_at, version, priority, workflow, queue, key, input, state, epoch, claims,
            parent_id, parent_key, parent_bond, undoes, rollback, rank, concurrency_key, expires_at, trace_context
        )
        select
            asked.child_id, $6,
            coalesce(undone.version, (child ->> 'version')::int),
            coalesce(undone.priority, (child ->> 'priority')::smallint, parents.priority),
            coalesce(undone.workflow, child ->> 'workflow'),
            -- What undoes a step runs where the step would run now.
            coalesce(nullif(child ->> 'queue', ''), undone.queue),
            child ->> 'key',
            coalesce(undone.input, child -> 'input'),
            'pending', 0, 0,
            asked.parent_id, asked.parent_key, child ->> 'bond',
            undone.execution_id,
            case when undone.execution_id is not null then
                json_build_object('kind', 'rolled_back', 'message', 'its parent is rolled back')
            end,
            durable.rank($6, coalesce(undone.priority, (child ->> 'priority')::smallint, parents.priority)),
            coalesce(undone.concurrency_key, child ->> 'concurrency_key', parents.concurrency_key),
            $6 + make_interval(secs => (child ->> 'time_to_live')::float8),
            child ->> 'trace_context'
        from asked
        left join undone on undone.execution_id = (child ->> 'undoes')::uuid
        left join parents on parents.execution_id = asked.parent_id
        -- Somebody has deleted what was to be undone.
        where undone.execution_id is not null or child ->> 'undoes' is null
        on conflict do nothing
        returning execution_id, parent_bond
    )
    update durable.waits
    set child_id = created.execution_id,
        outcome = case
            when created.execution_id is null or created.parent_bond <> 'awaited' then 'received'
        end,
        resolved_at = case
            when created.execution_id is null or created.parent_bond <> 'awaited' then $6
        end,
        resolved_ordinal = case
            when created.execution_id is null or created.parent_bond <> 'awaited' then nextval('durable.journal_ordinals')
        end,
        payload = case
            when created.execution_id is null and asked.child ->> 'undoes' is not null then
                json_build_object('state', 'refused', 'error', json_build_object(
                    'kind', 'not_found',
                    'message', format('execution %s is not there any more: what it did cannot be undone', asked.child ->> 'undoes')
                ))
            when created.execution_id is null then
                json_build_object('state', 'refused', 'error', json_build_object(
                    'kind', 'conflict',
                    'message', format('another execution of workflow `%s` has the key `%s`', asked.child ->> 'workflow', asked.child ->> 'key')
                ))
            when created.parent_bond <> 'awaited' then
                json_build_object('state', 'started', 'output', created.execution_id)
        end
    from asked
    left join created on created.execution_id = asked.child_id
    where waits.execution_id = any ($1)
      and waits.execution_id = asked.parent_id
      and waits.key = asked.parent_key
$$;
