-- execution_tags/get: read: the tags of execution $1.
select name, value
from durable.execution_tags
where execution_id = $1
