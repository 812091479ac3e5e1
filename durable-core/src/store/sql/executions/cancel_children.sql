-- executions/cancel_children: end those of $1 that go on, and their own children, for the reason $2; says who is busy now.
with cancelled as materialized (
    select id, state, queue, awaited_by
    from durable.abandon_children($1, durable.failure('cancelled', $2), wait => false)
)
select id, state, queue, awaited_by
from cancelled
union all
-- Seen as before the call: one that has ended in between is said to be busy, and found ended when asked for again.
select execution_id, 'busy', queue, null
from durable.executions
where execution_id = any ($1)
  and finished_at is null
  and rollback is null
  and execution_id <> all (array(select id from cancelled))
