-- executions/rollback: roll back execution $1 and the children that end with it, for the reason $2.
select id, state, queue, awaited_by
from durable.rollback($1, $2)
