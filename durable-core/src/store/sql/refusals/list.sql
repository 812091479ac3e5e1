-- refusals/list: the messages that execution $1 could not read, oldest first.
select key, kind, name, reason, payload::text as payload, sent_by, refused_at
from durable.refusals
where execution_id = $1
order by refused_at, key
