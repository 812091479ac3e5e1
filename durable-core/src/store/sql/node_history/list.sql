-- node_history/list: read: the values of node $2 of execution $1 that its history has, the newest first.
select name, revision, set_at, false as stale, value::text as value, metadata::text as metadata
from durable.node_history
where execution_id = $1
  and name = $2
order by revision desc
