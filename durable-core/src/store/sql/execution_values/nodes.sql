-- execution_values/nodes: read: the nodes of execution $1, a graph, in the order of their names.
select name, revision, set_at, state, node::text as node, value::text as value, metadata::text as metadata
from durable.execution_values
where execution_id = $1
  and state is not null
order by name
