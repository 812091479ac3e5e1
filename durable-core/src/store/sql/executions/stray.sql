-- executions/stray: read: those of executions $2 that worker $1 does not hold at epochs $3, mostly because they were cancelled, and those that are paused.
select held.execution_id, mine.execution_id is not null as paused
from unnest($2::uuid[], $3::int4[]) as held (execution_id, epoch)
left join durable.executions as mine
    on mine.execution_id = any ($2)
    and mine.execution_id = held.execution_id
    and mine.worker_id = $1
    and mine.epoch = held.epoch
    and mine.state = 'running'
where mine.execution_id is null or mine.paused_at is not null
