-- doctor/read_backend: which server process answers, after $1 seconds.
select pg_backend_pid() as pid, pg_sleep($1)
