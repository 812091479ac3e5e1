-- abandoned: databases of tests that were killed: made over ten minutes ago, and without a session.
select datname
from pg_catalog.pg_database
where datname ~ '^durable_test_[0-9]+_[0-9a-f]{32}$'
  and split_part(datname, '_', 3)::bigint < extract(epoch from clock_timestamp()) - 600
  and not exists (
      select from pg_catalog.pg_stat_activity where pg_stat_activity.datname = pg_database.datname
  )
limit 100
