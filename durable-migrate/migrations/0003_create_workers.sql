-- expand: one row for each worker: the time under one id of a process that runs executions, and the lease under which it does so.
create table durable.workers (
    -- A new id at each start, and after the worker was declared lost. Written once, by the worker, as are the columns up to `lease`.
    worker_id uuid not null,
    host text not null,
    process_id int not null,
    -- The queues it claims from, in the order of `slots`.
    queues text[] not null,
    -- The slots it has for each queue.
    slots int[] not null default '{}',
    -- The workflows it knows, each as `name@version`.
    workflows text[],
    -- The release of the application, as the application names it.
    version text,
    started_at timestamptz not null,
    -- The length of its lease. A `lease_until` that is further away than this shows that the clock was set back.
    lease interval,

    -- Until when it counts as alive. Extended by each heartbeat, cut by the rescue after the clock was set back.
    lease_until timestamptz not null,
    -- When it was declared lost or ended; null while it is alive. Written by the rescue of any worker, or at its own shutdown.
    lost_at timestamptz,
    -- Since when it claims nothing more, on request. Written by `deprecate_worker`.
    deprecated_at timestamptz,
    -- The slots in use for each queue. Written by each heartbeat, as are the columns below.
    slots_in_use int[] not null default '{}',
    -- What goes wrong in its process: tasks of the engine that panicked, rows that cannot be read. Null if nothing does.
    troubles json,
    -- Since when its async runtime has not answered; null if it answers.
    unresponsive_since timestamptz,
    -- The executions whose code does not return.
    stuck_executions uuid[] not null default '{}',
    constraint workers_pkey primary key (worker_id),
    -- It makes `lost_at` a part of the row's key. Whoever sets it then conflicts with a step that commits (`for key share`), also one
    -- that reads an old snapshot because its transaction is serializable; a heartbeat, which changes no key, does not.
    constraint workers_lost_key unique (worker_id, lost_at)
) with (
    fillfactor = 50,
    -- A few rows that are updated all the time.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 200
);
