-- doctor/find_unreadable_executions: up to $1 executions that have not ended and hold values which no program writes.
with odd as (
    select
        execution_id,
        workflow,
        concat_ws(
            ', ',
            case when state not in ('pending', 'running', 'waiting') then format('its state is `%s`', state) end,
            case when version < 1 then format('its version is %s', version) end,
            case when epoch not between 0 and 2147483646 then format('its epoch is %s', epoch) end,
            case when claims < 0 then format('its claims are %s', claims) end,
            case
                when created_at not between '0001-01-01' and '9999-12-31' then format('it was created at %s', created_at)
            end,
            case
                when wake_at not between '0001-01-01' and '9999-12-31 23:59:59.999999+00'
                    and not (wake_at = 'infinity' and paused_at is not null)
                    then format('it is to wake at %s', wake_at)
            end,
            case
                when deadline_at not between '0001-01-01' and '9999-12-31' then format('its timeout strikes at %s', deadline_at)
            end,
            case when rank not between '0001-01-01' and '9999-12-31' then format('its rank is %s', rank) end
        ) as problem
    from durable.executions
    where finished_at is null
)
select execution_id, workflow, problem
from odd
where problem <> ''
order by execution_id
limit $1
