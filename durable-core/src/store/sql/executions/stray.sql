-- executions/stray: those of $3 that worker $2 believes to hold at epochs $4 and does not; cancelled ones, for the most part.
select held.execution_id
from unnest($3::uuid[], $4::int4[]) as held (execution_id, epoch)
where not exists (
    select
    from durable.executions
    where executions.shard = $1
      and executions.execution_id = any ($3)
      and executions.execution_id = held.execution_id
      and executions.worker_id = $2
      and executions.epoch = held.epoch
      and executions.state = 'running'
)
