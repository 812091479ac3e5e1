-- executions/get: read: one execution as it is shown.
select *
from durable.shown_executions
where execution_id = $1
