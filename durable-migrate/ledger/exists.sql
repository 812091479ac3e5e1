-- ledger/exists: was this schema ever migrated?
select to_regclass('durable.migrations') is not null as is_there;
