-- ledger/find_version: the newest migration that was applied, and the newest that did more than add; 0 before the first.
-- The column `kind` is younger than the ledger: it is read from the whole row.
select
    coalesce(max(version), 0) as version,
    coalesce(max(version) filter (where to_jsonb(migrations) ->> 'kind' is distinct from 'expand'), 0) as serves_from
from durable.migrations;
