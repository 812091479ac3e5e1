-- forget_workers: delete the rows of lost workers that hold no execution.
-- It runs with the rights of the schema's owner, because the role that runs workflows may not delete workers.
create or replace function durable.forget_workers() returns void
language plpgsql volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    lost uuid[];
begin
    lost := array(
        select worker.worker_id
        from durable.workers as worker
        where worker.lost_at is not null
          -- The process of a deprecated worker reads that it was deprecated when it registers as a new worker.
          and (worker.deprecated_at is null or worker.lost_at < durable.now() - interval '1 minute')
        -- Skip a row that a write in flight has locked. The next call deletes it.
        for update skip locked
    );
    if cardinality(lost) = 0 then
        return;
    end if;
    -- A second statement, because it sees what was committed before the rows were locked.
    delete from durable.workers as worker
    where worker.worker_id = any (lost)
      and (
        select held.execution_id
        from durable.executions as held
        where held.worker_id = worker.worker_id and held.state = 'running'
        limit 1
      ) is null;
end
$$;
