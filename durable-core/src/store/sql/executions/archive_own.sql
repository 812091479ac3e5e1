-- executions/archive_own: hide execution $2, which worker $1 holds at epoch $3, from lists.
with fence as materialized (
    select worker_id
    from durable.workers
    where worker_id = $1 and lost_at is null
    for key share
)
update durable.executions
set archived_at = coalesce(executions.archived_at, now.at)
from fence, durable.present as now
where executions.execution_id = $2
  and executions.worker_id = fence.worker_id
  and executions.epoch = $3
  and executions.state = 'running'
