-- waits/deliver: upkeep: give messages in mailboxes to waits that missed them, because the sender's transaction did not see the wait.
with missed as (
    select distinct on (mailbox.execution_id) mailbox.execution_id, mailbox.arrival
    from durable.mailbox
    cross join lateral (
        select waits.key
        from durable.waits
        where waits.execution_id = mailbox.execution_id
          and waits.kind = mailbox.kind
          and (waits.name = mailbox.name or mailbox.name = any (waits.names))
          and waits.outcome is null
          and (waits.due_at is null or waits.due_at > durable.now())
        limit 1
    ) as open
    order by mailbox.execution_id, mailbox.arrival
    limit $1
),
locked as materialized (
    select * from missed where durable.try_lock_mailbox(execution_id)
),
-- The next run takes rows that another transaction has locked.
free as materialized (
    select execution_id
    from durable.executions
    where execution_id = any (array(select execution_id from locked))
    for no key update skip locked
),
taken as (
    delete from durable.mailbox
    using locked
    where mailbox.execution_id = any (array(select execution_id from free))
      and mailbox.execution_id = locked.execution_id
      and mailbox.arrival = locked.arrival
    returning mailbox.*
)
select
    taken.execution_id,
    durable.deliver(
        taken.execution_id, taken.kind, taken.name, taken.payload, taken.message_id, taken.sent_by, taken.arrival
    ) as outcome,
    durable.wake_for_message(taken.execution_id) as woken_queue
from taken
