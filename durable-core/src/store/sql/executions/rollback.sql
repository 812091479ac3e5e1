-- executions/rollback: have undone what execution $1 and the children that end with it did, for the reason $2.
select id, state, queue, awaited_by
from durable.rollback($1, $2)
