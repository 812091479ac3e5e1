-- mailbox/list: up to $3 messages that execution $2 has not waited for, in the order of their arrival.
select kind, name, payload::text as payload, sent_by, sent_at
from durable.mailbox
where shard = $1 and execution_id = $2
order by arrival
limit $3
