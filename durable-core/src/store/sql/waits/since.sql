-- waits/since: read: the waits of executions $1 that are open, that began or ended after their ordinals $2, or that have the keys
-- $4 of executions $3.
select
    execution_id, key, kind, name, names, correlation, child_id, form, prompt, metadata::text as metadata, assignee,
    started_at, due_at, outcome, payload::text as payload, answered_by, resolved_at
from durable.waits
join unnest($1::uuid[], $2::bigint[]) as seen (execution_id, ordinal) using (execution_id)
where waits.outcome is null
   or waits.ordinal > seen.ordinal
   or waits.resolved_ordinal > seen.ordinal
   or exists (
       select from unnest($3::uuid[], $4::text[]) as open (execution_id, key)
       where open.execution_id = waits.execution_id and open.key = waits.key
   )
order by waits.ordinal
