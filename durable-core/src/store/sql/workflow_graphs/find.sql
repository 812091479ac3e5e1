-- workflow_graphs/find: read: the graph of workflow $1 in version $2, or in its newest version.
select graph::text as graph
from durable.workflow_graphs
where workflow = $1
  and ($2::int is null or version = $2)
order by version desc
limit 1
