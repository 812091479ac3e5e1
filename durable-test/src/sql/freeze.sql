-- freeze: stop the clock of this database where it is.
update durable.clock
set frozen_at = date_trunc('milliseconds', clock_timestamp())
