-- mailbox/list: up to $2 messages that no wait of execution $1 has taken, in the order of their arrival.
select kind, name, payload::text as payload, sent_by, sent_at
from durable.mailbox
where execution_id = $1
order by arrival
limit $2
