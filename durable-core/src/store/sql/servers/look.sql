-- servers/look: read: whether the server is read-only, on which timeline it writes, and whether a pooler has lent us this session before.
-- Runs before the session is prepared, so it only calls functions, by their full names.
with before as materialized (
    select pg_catalog.texteq(coalesce(pg_catalog.current_setting('durable.session', true), ''), 'taken') as is_lent
)
select
    before.is_lent,
    pg_catalog.pg_is_in_recovery() as is_standby,
    -- Each failover begins another timeline.
    case
        when not pg_catalog.pg_is_in_recovery()
        then pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8)
    end as timeline,
    pg_catalog.set_config('durable.session', 'taken', false)
from before
