-- doctor/find_unread_messages: up to $2 executions with messages that no wait has taken for $1 seconds, oldest first.
select
    old.execution_id, execution.workflow, old.messages, old.names,
    durable.open_names(old.execution_id, 'event') || durable.open_names(old.execution_id, 'input') as open_names
from (
    select mailbox.execution_id, count(*) as messages, min(mailbox.sent_at) as since,
        (array_agg(distinct mailbox.name)) [1:5] as names
    from durable.mailbox
    where mailbox.sent_at < durable.now() - make_interval(secs => $1)
    group by mailbox.execution_id
) as old
join durable.executions as execution on execution.execution_id = old.execution_id
where execution.finished_at is null
order by old.since, old.execution_id
limit $2
