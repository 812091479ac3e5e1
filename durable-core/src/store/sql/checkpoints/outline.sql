-- checkpoints/outline: what the journal of execution $1 says of each call, without what the call returned; no row if $1 has not ended.
with ended as materialized (
    select execution_id
    from durable.executions
    where execution_id = $1 and finished_at is not null
)
select key, ordinal as began, ordinal as ended, started_at, finished_at as ended_at, error is not null as failed
from durable.checkpoints
join ended using (execution_id)
union all
select
    key,
    ordinal,
    case when outcome is not null then coalesce(resolved_ordinal, ordinal) end,
    started_at,
    resolved_at,
    coalesce(
        outcome in ('timed_out', 'cancelled') or kind = 'child' and payload ->> 'state' not in ('completed', 'started'),
        false
    )
from durable.waits
join ended using (execution_id)
