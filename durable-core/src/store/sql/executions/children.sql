-- executions/children: the children of execution $1, in the order in which they were created.
select execution_id, workflow, parent_key, parent_policy, parent_notified_at, state
from durable.shown_executions
where parent_id = $1
order by created_at, execution_id
