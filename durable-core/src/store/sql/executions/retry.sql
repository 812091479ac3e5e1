-- executions/retry: go on from where execution $1 failed or was cancelled, as version $2, in the new execution $3; repeat the keys $4, with the edits $5;
-- if $6, only if no execution continues it; if $7, with the events that were taken by what is repeated.
select id, queue
from durable.retry($1, $2, $3, $4, $5::json, $6, $7)
