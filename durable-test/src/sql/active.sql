-- active: what runs, could run, or is due now; nothing if everything is at rest. The clock is stopped, so this changes only by
-- what runs.
with now as materialized (
    select at from durable.present
)
select
    case
        when finished_at is not null then 'parent'
        when expires_at <= now.at then 'expiry'
        when state = 'running' then 'running'
        when wake_at is null then 'pending'
        else 'due'
    end as kind,
    execution_id,
    workflow as name
from durable.executions
cross join now
where state = 'running'
   or (state = 'pending' and wake_at is null)
   or wake_at <= now.at
   or (parent_policy = 'await' and finished_at is not null and parent_notified_at is null)
union all
select 'schedule', null, schedule
from durable.schedules
cross join now
where enabled and next_due_at <= now.at
limit 50
