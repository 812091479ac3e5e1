-- expand: have autovacuum come to the hot tables after a hundredth or a twentieth of their rows, and not after the fifth that is usual.
-- Executions are updated at least twice each, and every claim walks over what is dead in the index of those pending.
alter table durable.executions set (
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);

-- Rows come and go at once, or are updated once; what prunes them does so in batches.
alter table durable.waits set (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05
);
alter table durable.mailbox set (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);
alter table durable.queue_starts set (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);

-- Only ever inserted, and pruned: often enough to be frozen in small parts.
alter table durable.checkpoints set (
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.05
);
alter table durable.attempts set (
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.05
);

-- A few rows, updated all the time.
alter table durable.workers set (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200
);
alter table durable.queues set (
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200
);
