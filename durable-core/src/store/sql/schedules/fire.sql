-- schedules/fire: fire schedules $2 that are as they were found ($3, $4), for the due times $7 of $6, and set when they are due next to $5.
select schedule, due_at, outcome, execution_id, queue, awaited_by
from durable.fire_schedules($1, $2, $3, $4, $5, $6, $7, $8)
