-- start_children: create the children that were registered as waits just now, each once, bound to its parent.
-- One that is not waited for, or whose key is taken, resolves its wait at once. Under lock_mailbox of the parents in `held`.
create or replace function durable.start_children(
    held uuid[], parent_ids uuid[], parent_keys text[], kinds text[], details text[], at timestamptz
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    answered record;
    undone_ids uuid[] := array(
        select (wait.details::json -> 'child' ->> 'undoes')::uuid
        from unnest(parent_ids, kinds, details) as wait (execution_id, kind, details)
        where wait.kind = 'child'
          and wait.execution_id = any (held)
          and wait.details::json -> 'child' ->> 'undoes' is not null
    );
begin
    if cardinality(undone_ids) > 0 then
        -- With a completed child, what its own children did is undone, also if the child never looked at their ends.
        perform durable.enlist_children(undone_ids);
    end if;
    with asked as materialized (
        select
            wait.execution_id as parent_id,
            wait.key as parent_key,
            (wait.details::json -> 'child' ->> 'id')::uuid as child_id,
            wait.details::json -> 'child' as child
        from unnest(parent_ids, parent_keys, kinds, details) as wait (execution_id, key, kind, details)
        join durable.waits as registered on registered.execution_id = wait.execution_id and registered.key = wait.key
        where wait.kind = 'child'
          and registered.execution_id = any (held)
          -- One that was registered before has its child.
          and registered.child_id is null
          and registered.outcome is null
    ),
    undone as materialized (
        select *
        from durable.executions
        where executions.execution_id = any (array(select (child ->> 'undoes')::uuid from asked))
    ),
    -- A child without a priority of its own has its parent's, and its concurrency key.
    parents as materialized (
        select executions.execution_id, priority, concurrency_key
        from durable.executions
        where executions.execution_id = any (array(select parent_id from asked where child ->> 'priority' is null))
    ),
    -- With the tags of their parents they would have more than an execution may have.
    overtagged as materialized (
        select asked.parent_id, asked.parent_key, tag.count
        from asked
        cross join lateral (
            select count(*) from json_object_keys(durable.tags_with(asked.parent_id, child -> 'tags'))
        ) as tag
        where child ->> 'inherits_tags' is not null and tag.count > 32
    ),
    child as (
        select
            asked.child_id,
            coalesce(undone.workflow, child ->> 'workflow') as workflow,
            coalesce(undone.version, (child ->> 'version')::int) as version,
            -- What undoes a step runs where the step would run now.
            coalesce(nullif(child ->> 'queue', ''), undone.queue) as queue,
            coalesce(undone.priority, (child ->> 'priority')::smallint, parents.priority) as priority,
            coalesce(undone.continued_with, undone.input, child -> 'input')::text as input,
            child ->> 'key' as key,
            (child ->> 'time_to_live')::float8 as time_to_live,
            coalesce(undone.concurrency_key, child ->> 'concurrency_key', parents.concurrency_key) as concurrency_key,
            child ->> 'trace_context' as trace_context,
            asked.parent_id,
            asked.parent_key,
            child ->> 'policy' as policy,
            (child ->> 'by_compensation')::boolean as by_compensation,
            undone.execution_id as undoes,
            case when undone.execution_id is not null then durable.failure('rolled_back', 'its parent is rolled back') end as rollback,
            -- What undoes a step belongs to the execution that the step belonged to.
            coalesce(undone.step_key, child -> 'step' ->> 'key') as step_key,
            coalesce(undone.owner_id, (child -> 'step' ->> 'owner_id')::uuid) as owner_id,
            coalesce(undone.owner_namespace, (child -> 'step' ->> 'owner_namespace')::uuid) as owner_namespace,
            coalesce(undone.undo_on_failure, (child -> 'step' ->> 'undo_on_failure')::boolean) as undo_on_failure,
            case
                when undone.execution_id is not null then durable.tags_with(undone.execution_id, null)
                when child ->> 'inherits_tags' is not null then durable.tags_with(asked.parent_id, child -> 'tags')
                else child -> 'tags'
            end::text as tags
        from asked
        left join undone on undone.execution_id = (child ->> 'undoes')::uuid
        left join parents on parents.execution_id = asked.parent_id
        -- Somebody has deleted what was to be undone.
        where (undone.execution_id is not null or child ->> 'undoes' is null)
          and asked.parent_key not in (select parent_key from overtagged where overtagged.parent_id = asked.parent_id)
    ),
    children as (
        select
            array_agg(child_id) as child_ids,
            array_agg(workflow) as workflows,
            array_agg(version) as versions,
            array_agg(queue) as queues,
            array_agg(priority) as priorities,
            array_agg(key) as keys,
            array_agg(input) as inputs,
            array_agg(time_to_live) as time_to_lives,
            array_agg(concurrency_key) as concurrency_keys,
            array_agg(trace_context) as trace_contexts,
            array_agg(parent_id) as parent_ids,
            array_agg(parent_key) as parent_keys,
            array_agg(policy) as policies,
            array_agg(by_compensation) as by_compensations,
            array_agg(undoes) as undoes,
            array_agg(rollback) as rollbacks,
            array_agg(step_key) as step_keys,
            array_agg(owner_id) as owner_ids,
            array_agg(owner_namespace) as owner_namespaces,
            array_agg(undo_on_failure) as undo_on_failures,
            case when count(tags) > 0 then array_agg(tags) end as tags
        from child
        having count(*) > 0
    ),
    created as materialized (
        select new.execution_id
        from children
        cross join lateral durable.create_executions(
            child_ids, workflows, versions, queues, priorities, keys, inputs, null, null,
            time_to_lives => time_to_lives,
            concurrency_keys => concurrency_keys,
            trace_contexts => trace_contexts,
            only_new => true,
            parent_ids => children.parent_ids,
            parent_keys => children.parent_keys,
            parent_policies => policies,
            by_compensations => by_compensations,
            undoes => undoes,
            rollbacks => rollbacks,
            step_keys => step_keys,
            owner_ids => owner_ids,
            owner_namespaces => owner_namespaces,
            undo_on_failures => undo_on_failures,
            tags => tags
        ) as new
    ),
    -- What undoes an execution reads the values that it had set.
    kept_values as (
        insert into durable.execution_values (execution_id, set_at, revision, name, key, value, metadata, state, node)
        select
            created.execution_id, kept.set_at, kept.revision, kept.name, kept.key, kept.value, kept.metadata, kept.state, kept.node
        from created
        join asked on asked.child_id = created.execution_id
        join durable.execution_values as kept on kept.execution_id = (asked.child ->> 'undoes')::uuid
    ),
    linked as (
        update durable.waits
        set child_id = created.execution_id
        from asked
        join created on created.execution_id = asked.child_id
        where waits.execution_id = any (held)
          and waits.execution_id = asked.parent_id
          and waits.key = asked.parent_key
    )
    select
        array_agg(asked.parent_id) as parent_ids,
        array_agg(asked.parent_key) as parent_keys,
        array_agg(case
            when created.execution_id is not null then
                json_build_object('state', 'started', 'output', created.execution_id)
            when asked.child ->> 'undoes' is not null then
                json_build_object('state', 'refused', 'error', json_build_object(
                    'kind', 'not_found',
                    'message', format('execution %s is not there any more: what it did cannot be undone', asked.child ->> 'undoes')
                ))
            when overtagged.count is not null then
                json_build_object('state', 'refused', 'error', json_build_object(
                    'kind', 'invalid',
                    'message', format(
                        'child `%s` has %s tags with those of its parent; an execution has at most 32', asked.child ->> 'workflow',
                        overtagged.count
                    )
                ))
            else
                json_build_object('state', 'refused', 'error', json_build_object(
                    'kind', 'conflict',
                    'message', format('another execution of workflow `%s` has the key `%s`', asked.child ->> 'workflow', asked.child ->> 'key')
                ))
        end) as payloads
    into answered
    from asked
    left join created on created.execution_id = asked.child_id
    left join overtagged on overtagged.parent_id = asked.parent_id and overtagged.parent_key = asked.parent_key
    where created.execution_id is null or asked.child ->> 'policy' <> 'await';
    if answered.parent_keys is not null then
        perform durable.resolve_waits(
            answered.parent_ids, answered.parent_keys, 'received', start_children.at, answered.payloads
        );
    end if;
end
$$;
