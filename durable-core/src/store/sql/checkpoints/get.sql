-- checkpoints/get: every attempt at every step of execution $2, in the order in which steps ended.
select key, attempt, started_at, finished_at, output::text as output, error::text as error, undo_order, ordinal, true as ended
from durable.checkpoints
where shard = $1 and execution_id = $2
union all
select key, attempt, started_at, finished_at, null, error::text, null, null, false
from durable.attempts
where shard = $1 and execution_id = $2
order by ended desc, ordinal, finished_at, key, attempt
