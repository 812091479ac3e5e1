-- schedules/disable: keep schedule $2 from firing, for the reason $3.
update durable.schedules
set enabled = false, disabled_reason = $3
where shard = $1 and schedule = $2
returning schedule
