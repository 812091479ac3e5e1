-- schedules/fire: fire schedules $1 that are as they were found ($2, $3), for the due times $6 of $5, and set when they are due next to $4.
select schedule, due_at, outcome, execution_id, queue, awaited_by
from durable.fire_schedules($1, $2, $3, $4, $5, $6, $7)
