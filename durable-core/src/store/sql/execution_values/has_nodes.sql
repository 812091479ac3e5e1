-- execution_values/has_nodes: read: whether execution $1 has nodes, because it is of a graph.
select exists (
    select
    from durable.execution_values
    where execution_id = $1
      and state is not null
) as has_nodes
