-- ledger/exists: was this schema ever migrated?
-- The statements of the ledger run under the caller's search path: functions alone, by their full names.
select pg_catalog.to_regclass('durable.migrations') is not null as is_there;
