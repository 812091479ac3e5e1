-- ledger/list_migrations: the migrations that were applied, oldest first, and whether they only added.
select version, name, checksum, applied_at, to_jsonb(migrations) ->> 'kind' is not distinct from 'expand' as only_adds
from durable.migrations
order by version;
