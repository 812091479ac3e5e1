-- doctor/find_old_snapshots: transactions of this database that have been open for over $1 seconds, and so hold back vacuum.
select
    pid,
    coalesce(usename::text, '') as role,
    coalesce(application_name, '') as application,
    coalesce(state, '') as state,
    extract(epoch from clock_timestamp() - xact_start)::int8 as seconds
from pg_stat_activity
where datname = current_database()
  and pid <> pg_backend_pid()
  and backend_type = 'client backend'
  and xact_start < clock_timestamp() - make_interval(secs => $1)
order by xact_start
