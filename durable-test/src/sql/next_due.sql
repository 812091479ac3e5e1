-- next_due: what is due next, all at one time: timers, retries, delayed starts, deadlines, expiries, schedules, and room under a
-- rate.
with now as materialized (
    select at from durable.present
),
timers as (
    select case kind when 'sleep' then 'sleep' else 'timeout' end as kind, execution_id, waits.key as name, due_at as at
    from durable.waits
    join durable.executions using (execution_id)
    where outcome is null and state in ('running', 'waiting')
    union all
    select 'retry', execution_id, attempts.key, retry_at
    from durable.attempts
    join durable.executions using (execution_id)
    where state in ('running', 'waiting')
      and not exists (
          select from durable.checkpoints
          where checkpoints.execution_id = attempts.execution_id and checkpoints.key = attempts.key
      )
    union all
    select 'start', execution_id, workflow, wake_at
    from durable.executions
    where state = 'pending' and wake_at < 'infinity'
    union all
    select 'deadline', execution_id, workflow, deadline_at
    from durable.executions
    where state in ('running', 'waiting') and rollback is null
    union all
    select 'expiry', execution_id, workflow, expires_at
    from durable.executions
    union all
    select 'schedule', null, schedule, next_due_at
    from durable.schedules
    where enabled
    union all
    select 'rate', null, queue, started_at + case key when '' then rate_period else key_rate_period end
    from durable.queue_starts
    join durable.queues using (queue)
    where exists (
        select from durable.executions
        where executions.queue = queue_starts.queue and state = 'pending' and wake_at is null
    )
    union all
    -- Whatever else wakes an execution.
    select 'timer', execution_id, workflow, wake_at
    from durable.executions
    where state = 'waiting' and wake_at < 'infinity'
),
due as (
    select kind, execution_id, name, timers.at
    from timers
    cross join now
    where timers.at > now.at
)
select kind, execution_id, name, at
from due
where at = (select min(at) from due)
order by kind, execution_id, name
