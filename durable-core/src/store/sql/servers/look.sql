-- servers/look: whether the server only reads, on which timeline it writes, and whether a pooler lent us this session before.
with before as materialized (
    select coalesce(current_setting('durable.session', true), '') = 'taken' as is_lent
)
select
    before.is_lent,
    pg_is_in_recovery() as is_standby,
    -- Another after each failover.
    case when not pg_is_in_recovery() then left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) end as timeline,
    set_config('durable.session', 'taken', false)
from before
