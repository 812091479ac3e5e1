-- schedules/delete: delete schedule $2. What it fired stays on record, what stands in line is left out.
with deleted as (
    delete from durable.schedules
    where shard = $1 and schedule = $2
    returning schedule
),
left_out as (
    update durable.schedule_fires
    set outcome = 'skipped'
    where shard = $1 and schedule = any (array(select schedule from deleted)) and outcome = 'queued'
)
select schedule
from deleted
