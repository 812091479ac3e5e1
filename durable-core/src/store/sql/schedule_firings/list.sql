-- schedule_firings/list: up to $3 firings of schedule $1 before the due time $2, latest first, with the states of their executions.
with firing as materialized (
    select due_at, fired_at, cause, outcome, execution_id
    from durable.schedule_firings
    where schedule = $1 and due_at < coalesce($2::timestamptz, 'infinity')
    order by due_at desc
    limit $3
),
execution as materialized (
    select execution_id, state
    from durable.shown_executions
    where execution_id = any (array(select execution_id from firing))
)
select due_at, fired_at, cause, outcome, execution_id, state
from firing
left join execution using (execution_id)
order by due_at desc
