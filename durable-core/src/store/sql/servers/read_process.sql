-- servers/read_process: read: which process of the server answers; asked before anything is set.
select pg_catalog.pg_backend_pid() as process_id
