-- schedules/backfill: fire schedule $2 of revision $3 for the due times $4 that it has not fired for; says for how many it did, and into which queue.
with filled as materialized (
    select durable.backfill_schedule($2, $3, $4) as count
)
select count, queue
from filled
cross join durable.schedules
where shard = $1 and schedule = $2
