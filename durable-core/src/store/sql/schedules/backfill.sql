-- schedules/backfill: fire schedule $1 of revision $2 for those of the due times $3 at which it has not fired; return how many, and the queue.
with filled as materialized (
    select durable.backfill_schedule($1, $2, $3) as count
)
select count, queue
from filled
cross join durable.schedules
where schedule = $1
