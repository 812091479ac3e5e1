-- workflow_graphs/list: read: the workflows whose graphs are kept, with their versions.
select workflow, version
from durable.workflow_graphs
order by workflow, version
