-- schedules/disable: disable schedule $1, for the reason $2.
update durable.schedules
set enabled = false, disabled_reason = $2
where schedule = $1
returning schedule
