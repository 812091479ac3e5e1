-- executions/cancel_children: cancel those of $2 that go on, and their own children, for the reason $3; says who is busy now.
-- A step that runs in one of them, and was begun, is undone where it asks for that.
with child as materialized (
    select id, durable.step_cut_off($1, id) as undone
    from unnest($2::uuid[]) as id
),
called_off as materialized (
    select called_off.*
    from durable.call_off(
        array(select id from child where not undone), durable.failure('cancelled', $3), compensate => false, wait => false
    ) as called_off
    union all
    select called_off.*
    from durable.call_off(
        array(select id from child where undone), durable.failure('cancelled', $3), compensate => true, wait => false
    ) as called_off
)
select id, state, queue, awaited_by
from called_off
union all
-- Seen as before the call: one that has ended in between is said to be busy, and found ended when asked for again.
select execution_id, 'busy', queue, null
from durable.executions
where shard = $1
  and execution_id = any ($2)
  and finished_at is null
  and rollback is null
  and execution_id <> all (array(select id from called_off))
