-- expand: the one clock that timers, retries, timeouts and leases read, and that a test can turn.
create table durable.clock (
    singleton boolean not null default true,
    frozen_at timestamptz,
    ahead_by interval not null default '0',
    constraint clock_pkey primary key (singleton),
    constraint there_is_one_clock check (singleton)
);

insert into durable.clock default values;

create view durable.present as
select coalesce(clock.frozen_at, clock_timestamp() + clock.ahead_by) as at
from durable.clock;
