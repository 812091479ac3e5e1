-- checkpoints/since: read: the steps of executions $1 that were recorded after their ordinals $2, and attempts at steps that were
-- not.
select
    execution_id, key, attempt, started_at, finished_at, output::text as output, error::text as error, undo_order, true as ended
from durable.checkpoints
join unnest($1::uuid[], $2::bigint[]) as seen (execution_id, ordinal) using (execution_id)
where checkpoints.ordinal > seen.ordinal
union all
select execution_id, key, attempt, started_at, finished_at, null, error::text, null, false
from durable.attempts
join unnest($1::uuid[], $2::bigint[]) as seen (execution_id, ordinal) using (execution_id)
where not exists (
    select from durable.checkpoints
    where checkpoints.execution_id = attempts.execution_id
      and checkpoints.key = attempts.key
      and checkpoints.ordinal <= seen.ordinal
)
order by ended desc, finished_at, key, attempt
