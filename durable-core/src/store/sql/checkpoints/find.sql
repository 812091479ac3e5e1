-- checkpoints/find: read: the outcome of step $2 of execution $1, and whether transaction $3, which may have written it, still runs.
select
    checkpoints.output::text as output,
    checkpoints.error::text as error,
    -- After a failover, this server may not have reached that transaction number yet.
    coalesce(
        case when $3::text::xid8 < pg_snapshot_xmax(pg_current_snapshot()) then pg_xact_status($3::text::xid8) end = 'in progress',
        false
    ) as is_under_way
from (values (true)) as asked
left join durable.checkpoints on checkpoints.execution_id = $1 and checkpoints.key = $2
