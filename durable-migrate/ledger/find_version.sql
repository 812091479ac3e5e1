-- ledger/find_version: the newest migration that was applied, and the newest that did more than add; 0 before the first.
-- The column `kind` is younger than the ledger: it is read from the whole row.
select
    coalesce(pg_catalog.max(version), 0) as version,
    coalesce(
        pg_catalog.max(version) filter (
            where not pg_catalog.texteq(coalesce(pg_catalog.jsonb_object_field_text(pg_catalog.to_jsonb(migrations), 'kind'), ''), 'expand')
        ),
        0
    ) as serves_from
from durable.migrations;
