-- executions/cancel_orphans: upkeep: end up to $1 unfinished children whose parents have ended or wait for them no longer.
with orphan as materialized (
    select
        child.execution_id,
        -- What a compensation started is not undone.
        parent.rollback is not null and child.by_compensation is not true as undone
    from durable.executions as child
    cross join lateral (
        select state, finished_at, rollback, continuations
        from durable.executions as parent
        where parent.execution_id = child.parent_id
        limit 1
    ) as parent
    where child.parent_id is not null
      and child.finished_at is null
      and child.rollback is null
      and case child.parent_policy
        when 'await' then parent.finished_at is not null or coalesce(
            (
                select coalesce(waits.outcome, 'open')
                from durable.waits
                where waits.execution_id = child.parent_id and waits.key = child.parent_key and waits.child_id = child.execution_id
                limit 1
            ),
            -- The wait is gone with the journal of an earlier iteration.
            case when parent.continuations > 0 then 'cancelled' end
        ) in ('timed_out', 'cancelled')
        -- Those beyond the number that one call ends.
        when 'cancel' then parent.state = 'cancelled' or (
            parent.rollback ->> 'kind' in ('cancelled', 'rolled_back') and child.by_compensation is not true
        )
        else false
      end
    limit $1
)
select id, state, queue, awaited_by
from durable.abandon_children(
    array(select execution_id from orphan where not undone),
    durable.failure('cancelled', 'its parent no longer waits for it'),
    wait => false
)
union all
select id, state, queue, awaited_by
from durable.roll_back_families(
    array(select execution_id from orphan where undone),
    durable.failure('rolled_back', 'its parent was rolled back'),
    wait => false
)
