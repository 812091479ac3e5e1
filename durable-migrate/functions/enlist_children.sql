-- enlist_children: journal completed children as what a rollback of their parents undoes, where the parents had no time to do so.
-- Under lock_mailbox of the parents, unless they have ended. The engine writes the same when a parent reads the end of its child.
create or replace function durable.enlist_children(parent_ids uuid[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with unread as materialized (
        select child.parent_id, child.parent_key, child.execution_id, child.queue, child.finished_at, notified.ordinal as notified_ordinal
        from durable.executions as child
        -- Children from earlier iterations of the parent have no wait.
        cross join lateral (
            select case when waits.outcome = 'received' then waits.resolved_ordinal end as ordinal
            from durable.waits
            where waits.execution_id = child.parent_id
              and waits.key = child.parent_key
              and waits.child_id = child.execution_id
            limit 1
        ) as notified
        where child.parent_id = any ($1)
          and child.parent_policy = 'await'
          and child.state = 'completed'
          -- What undid something is not undone.
          and child.undoes is null
          and child.by_compensation is not true
          and durable.undoable(child.execution_id)
          and (
            select checkpoints.key
            from durable.checkpoints
            where checkpoints.execution_id = child.parent_id and checkpoints.key = child.parent_key
            limit 1
          ) is null
    )
    insert into durable.checkpoints (execution_id, started_at, finished_at, attempt, key, output, undo_order)
    select
        unread.parent_id,
        unread.finished_at,
        unread.finished_at,
        1,
        unread.parent_key,
        json_build_object('execution_id', unread.execution_id, 'queue', unread.queue),
        -- Far above any place that a checkpoint on its way may take, and above those of an earlier call.
        greatest(1000000000, places.highest)
            + row_number() over (partition by unread.parent_id order by unread.notified_ordinal, unread.finished_at, unread.execution_id)
    from unread
    cross join lateral (
        select max(undo_order) as highest
        from durable.checkpoints
        where checkpoints.execution_id = unread.parent_id
        limit 1
    ) as places
    on conflict do nothing
$$;
