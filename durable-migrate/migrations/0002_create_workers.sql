-- expand: one row per worker process, holding the lease under which it runs executions.
create table durable.workers (
    shard smallint not null,
    worker_id uuid not null,
    host text not null,
    process_id int not null,
    queues text[] not null,
    started_at timestamptz not null,
    lease_until timestamptz not null,
    lost_at timestamptz,
    constraint workers_pkey primary key (shard, worker_id)
) with (fillfactor = 50);
