-- execution_values/list: read: the values of execution $1 in the order of their names, or only the value with the name $2. Nodes of
-- a graph that have no value are left out.
select name, revision, set_at, state is not distinct from 'stale' as stale, value::text as value, metadata::text as metadata
from durable.execution_values
where execution_id = $1
  and ($2::text is null or name = $2)
  and (state is null or state in ('ready', 'stale'))
order by name
