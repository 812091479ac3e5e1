-- checkpoints/find: read: the outcome of step $3 of execution $2, and whether transaction $4, which may have written it, is still under way.
select
    checkpoints.output::text as output,
    checkpoints.error::text as error,
    -- After a failover the number may be one that this server has not come to yet.
    coalesce(
        case when $4::text::xid8 < pg_snapshot_xmax(pg_current_snapshot()) then pg_xact_status($4::text::xid8) end = 'in progress',
        false
    ) as is_under_way
from (values (true)) as asked
left join durable.checkpoints on checkpoints.shard = $1 and checkpoints.execution_id = $2 and checkpoints.key = $3
