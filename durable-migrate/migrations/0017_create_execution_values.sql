-- expand: values that executions set under a name, such as their progress; only the newest of each name is kept.
create table durable.execution_values (
    execution_id uuid not null,
    -- When it was set, by the database's clock.
    set_at timestamptz not null,
    -- How often the name was set so far, from 1.
    revision int not null,
    name text not null,
    -- The key of the call in the journal that set it.
    key text not null,
    value json not null,
    -- What the workflow says about the value, for those who show it.
    metadata json,
    constraint execution_values_pkey primary key (execution_id, name)
) with (
    fillfactor = 80,
    -- A value may be set a thousand times: its row is updated in place, and cleaned up soon.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);
