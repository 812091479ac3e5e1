-- schedules/enable: enable schedule $1 of revision $2, next due at $3, and set its failures to zero.
update durable.schedules
set enabled = true, disabled_reason = null, failures = 0, next_due_at = $3
where schedule = $1 and revision = $2
returning schedule
