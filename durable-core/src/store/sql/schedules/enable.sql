-- schedules/enable: let schedule $2 of revision $3 fire again, next at $4; its failures are forgotten.
update durable.schedules
set enabled = true, disabled_reason = null, failures = 0, next_due_at = $4
where shard = $1 and schedule = $2 and revision = $3
returning schedule
