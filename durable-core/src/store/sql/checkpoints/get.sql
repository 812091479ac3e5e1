-- checkpoints/get: every attempt at every step of execution $1, in the order in which steps ended.
select key, attempt, started_at, finished_at, output::text as output, error::text as error, undo_order, ordinal, true as ended
from durable.checkpoints
where execution_id = $1
union all
select key, attempt, started_at, finished_at, null, error::text, null, null, false
from durable.attempts
where execution_id = $1
order by ended desc, ordinal, finished_at, key, attempt
