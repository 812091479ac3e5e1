-- servers/read_process: which process of the server answers.
select pg_backend_pid() as process_id
