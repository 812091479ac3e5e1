-- expand: the graphs of workflows, a row for each version, for programs that do not have the code. Workers write them at their start.
create table durable.workflow_graphs (
    version int not null,
    -- When a worker wrote the graph; a graph that has not changed is not written again.
    kept_at timestamptz not null,
    workflow text not null,
    -- An object with workflow, version, nodes and edges.
    graph json not null,
    constraint workflow_graphs_pkey primary key (workflow, version)
);
