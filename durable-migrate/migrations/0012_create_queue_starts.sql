-- expand: how many executions of a queue with a rate began at which time. Written, and deleted after the period, by claims.
create table durable.queue_starts (
    queue text not null,
    -- A concurrency key; empty in the rows that count the whole queue.
    key text not null,
    started_at timestamptz not null,
    -- How many began then.
    starts int not null,
    constraint queue_starts_pkey primary key (queue, key, started_at) include (starts)
) with (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);

-- Deletes the rows of all keys that are older than a period.
create index queue_starts_by_time
on durable.queue_starts (queue, started_at)
where key <> '';
