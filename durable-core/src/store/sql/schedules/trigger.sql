-- schedules/trigger: start an execution of schedule $2 now, with the input $3 if it is not null; says which, and in which queue.
with triggered as materialized (
    select durable.trigger_schedule($2, $3::json) as execution_id
)
select execution_id, queue
from triggered
cross join durable.schedules
where shard = $1 and schedule = $2
