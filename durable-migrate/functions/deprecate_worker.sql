-- deprecate_worker: stop a worker from claiming. Its running executions continue to their end or their next wait.
create or replace function durable.deprecate_worker(worker_id uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
begin
    select lost_at into target
    from durable.workers
    where worker_id = deprecate_worker.worker_id
    for no key update;
    if not found then
        raise exception 'there is no worker %', deprecate_worker.worker_id
        using errcode = 'UD404', hint = 'list them: select worker_id, host, process_id, version from durable.workers';
    end if;
    if target.lost_at is not null then
        raise exception 'worker % is gone already', deprecate_worker.worker_id
        using errcode = 'UD410', hint = 'it claims nothing any more';
    end if;
    update durable.workers
    set deprecated_at = durable.now()
    where worker_id = deprecate_worker.worker_id and deprecated_at is null;
end
$$;
