-- expand: the limits of a queue over all workers, what it has begun of late, and whose turn it is. Most queues have no row.
create table durable.queues (
    shard smallint not null,
    queue text not null,
    concurrency int,
    rate int,
    rate_period interval,
    key_rate int,
    key_rate_period interval,
    paused_at timestamptz,
    updated_at timestamptz not null,
    -- The key that had the last turn, and whether one with a key comes before one without.
    turn_workflow text,
    turn_key text,
    keys_first boolean not null default true,
    constraint queues_pkey primary key (shard, queue),
    constraint queue_is_not_empty check (queue <> ''),
    constraint concurrency_starts_at_one check (concurrency >= 1),
    constraint rate_starts_at_one check (rate >= 1),
    constraint key_rate_starts_at_one check (key_rate >= 1),
    constraint rate_has_a_period check ((rate is null) = (rate_period is null) and rate_period > '0'),
    constraint key_rate_has_a_period check ((key_rate is null) = (key_rate_period is null) and key_rate_period > '0'),
    constraint turns_come_whole check ((turn_workflow is null) = (turn_key is null))
) with (fillfactor = 50);

-- How many executions were begun at which time: of the queue where the key is empty, of a concurrency key otherwise.
create table durable.queue_starts (
    shard smallint not null,
    queue text not null,
    key text not null,
    started_at timestamptz not null,
    starts int not null,
    constraint queue_starts_pkey primary key (shard, queue, key, started_at) include (starts)
);

create index queue_starts_by_time
on durable.queue_starts (shard, queue, started_at)
where key <> '';
