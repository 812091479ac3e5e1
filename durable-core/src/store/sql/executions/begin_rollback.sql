-- executions/begin_rollback: turn execution $3 round, which worker $2 holds at epoch $4, because of $5; no row if it does not.
select id, state, queue, awaited_by
from durable.begin_rollback($1, $2, $3, $4, $5::json)
