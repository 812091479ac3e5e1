-- executions/cancel: end execution $1 and the children that end with it for the reason $2, undoing what they did if $3 says so.
select id, state, queue, awaited_by
from durable.cancel($1, $2, $3)
