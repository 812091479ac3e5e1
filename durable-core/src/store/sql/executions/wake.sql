-- executions/wake: put up to $1 executions whose time has come back into their queues, resolving the waits that are over; return when the next is due.
with now as materialized (
    -- A wake-up that a crash loses is repeated, because the time is still over.
    select present.at, set_config('synchronous_commit', 'off', true)
    from durable.present
),
due as materialized (
    select execution_id
    from durable.executions
    where wake_at <= (select at from now)
    order by wake_at
    limit $1
    -- Rows that another transaction has locked do not count towards the limit.
    for no key update skip locked
),
locked as materialized (
    select execution_id
    from due
    where durable.try_lock_mailbox(execution_id)
),
ended as (
    update durable.waits
    set outcome = case when kind = 'sleep' then 'elapsed' else 'timed_out' end,
        resolved_at = now.at,
        resolved_ordinal = nextval('durable.journal_ordinals')
    from now
    where execution_id = any (array(select execution_id from locked))
      and outcome is null
      and due_at <= now.at
),
woken as (
    update durable.executions
    set state = 'pending',
        wake_at = case when paused_at is not null then 'infinity'::timestamptz end,
        -- A CHECK would refuse a row without this, and with it the whole statement.
        rank = coalesce(rank, now.at)
    from now
    where execution_id = any (array(select execution_id from locked))
    returning queue
)
select queue, count(*) as woken, null::timestamptz as next_at
from woken
group by queue
union all
select null, 0, min(wake_at)
from durable.executions
where wake_at > (select at from now) and wake_at < 'infinity'
