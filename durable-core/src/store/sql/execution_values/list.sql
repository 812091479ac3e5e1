-- execution_values/list: read: the values of execution $1 in the order of their names, or only the value with the name $2.
select name, revision, set_at, value::text as value, metadata::text as metadata
from durable.execution_values
where execution_id = $1
  and ($2::text is null or name = $2)
order by name
