-- clock/read: read: the database's time, and whether a test stopped it.
select
    present.at as now,
    clock.frozen_at is not null as frozen
from durable.present, durable.clock
