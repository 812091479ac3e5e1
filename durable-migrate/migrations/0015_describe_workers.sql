-- expand: which release a worker runs, how many of its slots are in use, and whether it was told to claim nothing more.
alter table durable.workers
add column version text,
add column slots int[] not null default '{}',
add column slots_in_use int[] not null default '{}',
add column deprecated_at timestamptz;
