-- forget_workers: remove lost workers that hold nothing any more.
-- With the rights of the schema's owner: the role that runs workflows may not delete workers otherwise.
create or replace function durable.forget_workers(shard smallint) returns void
language sql volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from durable.workers
    where workers.shard = $1
      and workers.lost_at is not null
      and (
        select execution_id
        from durable.executions
        where executions.shard = $1 and executions.worker_id = workers.worker_id and executions.state = 'running'
        limit 1
      ) is null
$$;
