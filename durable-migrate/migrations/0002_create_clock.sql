-- expand: the one clock that timers, retries, timeouts and leases read, and that a test can turn.
create table durable.clock (
    -- Always true: the table has one row.
    singleton boolean not null default true,
    -- The time at which the clock is stopped; null while it runs. Written by tests.
    frozen_at timestamptz,
    -- How far a running clock is ahead of the server's. Written by tests.
    ahead_by interval not null default '0',
    constraint clock_pkey primary key (singleton),
    constraint there_is_one_clock check (singleton)
);

insert into durable.clock default values;

-- The time now. Statements read this view; the function `now` is for everyone else.
create view durable.present as
select coalesce(clock.frozen_at, clock_timestamp() + clock.ahead_by) as at
from durable.clock;
