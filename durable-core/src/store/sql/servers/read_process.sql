-- servers/read_process: read: which process of the server answers. Runs before the session is prepared.
select pg_catalog.pg_backend_pid() as process_id
