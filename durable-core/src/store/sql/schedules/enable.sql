-- schedules/enable: let schedule $1 of revision $2 fire again, next at $3; its failures are forgotten.
update durable.schedules
set enabled = true, disabled_reason = null, failures = 0, next_due_at = $3
where schedule = $1 and revision = $2
returning schedule
