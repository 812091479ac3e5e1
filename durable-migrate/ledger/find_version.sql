-- ledger/find_version: the number of the newest migration that was applied, 0 before the first.
select coalesce(max(version), 0) as version
from durable.migrations;
