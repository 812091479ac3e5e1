-- schedules/trigger: start an execution of schedule $1 now, with the input $2 if it is not null; return the execution and its queue.
with triggered as materialized (
    select durable.trigger_schedule($1, $2::json) as execution_id
)
select execution_id, queue
from triggered
cross join durable.schedules
where schedule = $1
