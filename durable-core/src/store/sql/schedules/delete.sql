-- schedules/delete: delete schedule $1. What it fired stays on record, what stands in line is left out.
with deleted as (
    delete from durable.schedules
    where schedule = $1
    returning schedule
),
left_out as (
    update durable.schedule_fires
    set outcome = 'skipped'
    where schedule = any (array(select schedule from deleted)) and outcome = 'queued'
)
select schedule
from deleted
