-- schedules/fire: fire those of schedules $1 that have not changed since they were read ($2, $3), for the due times $6 of $5; set the next due times to $4.
select schedule, due_at, outcome, execution_id, queue, awaited_by
from durable.fire_schedules($1, $2, $3, $4, $5, $6, $7)
