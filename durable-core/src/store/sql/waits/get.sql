-- waits/get: the waits of execution $1, in the order in which they began.
select
    key, kind, name, names, correlation, child_id, form, prompt, metadata::text as metadata, assignee,
    started_at, due_at, outcome, payload::text as payload, answered_by, resolved_at
from durable.waits
where execution_id = $1
order by ordinal
