-- expand: the limits of a queue over all workers, and whose turn it is. Most queues have no row.
create table durable.queues (
    queue text not null,
    -- How many executions may run at once. Null for no limit, here and below. Written by `set_queue_limits`.
    concurrency int,
    -- How many may begin in a period.
    rate int,
    rate_period interval,
    -- How many with one concurrency key may begin in a period.
    key_rate int,
    key_rate_period interval,
    -- Since when nothing is claimed from it. Written by `pause_queue` and `resume_queue`.
    paused_at timestamptz,
    -- When its settings were last changed.
    updated_at timestamptz not null,
    -- The concurrency key that had the last turn, and whether an execution with a key comes before one without. Written by claims.
    turn_workflow text,
    turn_key text,
    keys_first boolean not null default true,
    constraint queues_pkey primary key (queue),
    constraint queue_is_not_empty check (queue <> ''),
    constraint concurrency_starts_at_one check (concurrency >= 1),
    constraint rate_starts_at_one check (rate >= 1),
    constraint key_rate_starts_at_one check (key_rate >= 1),
    constraint rate_has_a_period check ((rate is null) = (rate_period is null) and rate_period > '0'),
    constraint key_rate_has_a_period check ((key_rate is null) = (key_rate_period is null) and key_rate_period > '0'),
    constraint turns_come_whole check ((turn_workflow is null) = (turn_key is null))
) with (
    fillfactor = 50,
    -- A few rows that are updated all the time.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200
);
