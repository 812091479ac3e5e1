-- executions/begin_rollback: turn execution $2 round, which worker $1 holds at epoch $3, because of $4; no row if it does not.
select id, state, queue, awaited_by
from durable.begin_rollback($1, $2, $3, $4::json)
