-- end_sessions: end all sessions of the database $1; return how many there were.
select count(pg_terminate_backend(pid))
from pg_catalog.pg_stat_activity
where datname = $1
