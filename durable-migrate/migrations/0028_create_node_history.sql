-- expand: the newest values of the nodes of graphs that have a history, the present one included.
create table durable.node_history (
    execution_id uuid not null,
    -- When the node got the value, by the database's clock.
    set_at timestamptz not null,
    -- The revision of the execution at which the node got the value.
    revision int not null,
    -- The name of the node.
    name text not null,
    -- Written by the worker together with the node in `execution_values`, and deleted by the same statement when newer values have taken
    -- all places of the history.
    value json not null,
    -- What was said about the value when it was set.
    metadata json,
    constraint node_history_pkey primary key (execution_id, name, revision)
);
