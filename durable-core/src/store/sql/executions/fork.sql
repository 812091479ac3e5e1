-- executions/fork: run execution $1 again from its step or wait $2, as version $3, in the new execution $4; keep its journal
-- below $5, with the edits $6.
select id, queue
from durable.fork($1, $2, $3, $4, $5, $6::json)
