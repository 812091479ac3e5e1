-- schedules/backfill: fire schedule $1 of revision $2 for the due times $3 that it has not fired for; says for how many it did, and into which queue.
with filled as materialized (
    select durable.backfill_schedule($1, $2, $3) as count
)
select count, queue
from filled
cross join durable.schedules
where schedule = $1
