-- executions/expire: upkeep: end up to $1 executions that have not begun by the time until which they should have; one row for each.
with now as materialized (
    select at from durable.present
),
due as materialized (
    select
        execution_id,
        durable.failure('expired', format(
            'expired: no worker of queue `%s` had begun it by %s, when its time to live was over',
            queue,
            to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        )) as failure
    from durable.executions
    where expires_at <= (select at from now)
    order by expires_at
    limit $1
    -- What a claim or a cancel takes at this moment is theirs.
    for no key update skip locked
)
select ended.id, ended.state, ended.queue, ended.awaited_by
from (
    select array_agg(execution_id) as execution_ids, array_agg(failure) as failures
    from due
    having count(*) > 0
) as expired
cross join now
cross join lateral durable.end_executions(expired.execution_ids, 'cancelled', expired.failures, now.at) as ended
