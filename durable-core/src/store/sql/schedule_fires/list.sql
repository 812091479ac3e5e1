-- schedule_fires/list: up to $3 fires of schedule $1 before the due time $2, latest first, with the states of their executions.
with fire as materialized (
    select due_at, fired_at, cause, outcome, execution_id
    from durable.schedule_fires
    where schedule = $1 and due_at < coalesce($2::timestamptz, 'infinity')
    order by due_at desc
    limit $3
),
execution as materialized (
    select execution_id, state
    from durable.shown_executions
    where execution_id = any (array(select execution_id from fire))
)
select due_at, fired_at, cause, outcome, execution_id, state
from fire
left join execution using (execution_id)
order by due_at desc
