-- ledger/find_version: the newest migration that was applied, the newest that did more than add (0 before the first), and the name of
-- the first, which tells whether it is the history of this program.
select
    coalesce(pg_catalog.max(version), 0) as version,
    coalesce(pg_catalog.max(version) filter (where not pg_catalog.texteq(kind, 'expand')), 0) as serves_from,
    pg_catalog.max(name) filter (where pg_catalog.int4eq(version, 1)) as first_name
from durable.migrations;
