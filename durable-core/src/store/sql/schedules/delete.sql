-- schedules/delete: delete schedule $1. The record of its due times stays; starts that wait in line are left out.
with deleted as (
    delete from durable.schedules
    where schedule = $1
    returning schedule
),
left_out as (
    update durable.schedule_firings
    set outcome = 'skipped'
    where schedule = any (array(select schedule from deleted)) and outcome = 'queued'
)
select schedule
from deleted
