-- refusals/list: the messages that waits of execution $2 could not use, the oldest first.
select key, kind, name, reason, payload::text as payload, sent_by, refused_at
from durable.refusals
where shard = $1 and execution_id = $2
order by refused_at, key
