-- ledger/list_migrations: the migrations that were applied, oldest first.
select version, name, checksum, applied_at
from durable.migrations
order by version;
