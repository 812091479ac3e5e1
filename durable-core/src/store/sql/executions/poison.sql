-- executions/poison: fail execution $3 that worker $2 has claimed too often without it coming to rest.
update durable.executions
set state = 'failed',
    error = $5::json,
    finished_at = present.at
from durable.present
where shard = $1
  and execution_id = $3
  and epoch = $4
  and worker_id = $2
  and state = 'running'
