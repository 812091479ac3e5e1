-- waits/update_input: change the deadline or the assignee of the open input $2 of execution $1.
select key, due_at, was_due_at, now_assigned_to, was_assigned_to
from durable.update_input($1, $2, $3::text::timestamptz, $4)
