-- executions/expire: upkeep: end up to $1 executions that have not begun by the time until which they should have; one row for each.
with now as materialized (
    select at from durable.present
),
due as materialized (
    select execution_id
    from durable.executions
    where expires_at <= (select at from now)
    order by expires_at
    limit $1
    -- What a claim or a cancel takes at this moment is theirs.
    for no key update skip locked
)
update durable.executions
set state = 'cancelled',
    wake_at = null,
    expires_at = null,
    finished_at = now.at,
    error = durable.failure('expired', format(
        'expired: nobody in queue `%s` had begun it by %s, when its time to live was over',
        queue,
        to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
    ))
from now
where execution_id = any (array(select execution_id from due))
returning execution_id as id, state, queue, case when parent_policy = 'await' then parent_id end as awaited_by
