-- doctor/find_stuck_executions: up to $1 executions that need help to continue, or that kill their workers; sleeping executions are not among them.
select execution_id, workflow, claims, error::text as error,
    case
        when error is not null then 'stopped'
        when state = 'waiting' then 'waits_for_nothing'
        else 'kills_workers'
    end as how
from durable.executions
where finished_at is null
  and (
    error is not null
    or state in ('pending', 'running') and claims >= 3
    or state = 'waiting' and wake_at is null and (
        select waits.key
        from durable.waits
        where waits.execution_id = executions.execution_id and waits.outcome is null
        limit 1
    ) is null
  )
order by execution_id
limit $1
