-- doctor/read_clock: the server's own clock, and whether a test has turned the clock of the executions.
select clock_timestamp() as at, frozen_at is not null or ahead_by <> interval '0' as turned
from durable.clock
