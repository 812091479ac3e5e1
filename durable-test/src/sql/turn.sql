-- turn: move the stopped clock, take the leases of live workers along, and tell them. No heartbeat is under way meanwhile: a
-- heartbeat that has read the time before would leave its worker a lease by that time.
do $$
declare
    before timestamptz;
    after timestamptz := '{time}';
begin
    lock table durable.workers in share row exclusive mode;
    before := durable.now();
    update durable.clock set frozen_at = after;
    update durable.workers set lease_until = lease_until + (after - before) where lost_at is null;
    -- Expiries are recorded by a duty that has a time of its own, some seconds away.
    update durable.duties
    set due_at = after
    where duty = 'expire' and due_at > after and exists (select from durable.executions where expires_at <= after);
    perform pg_notify('durable', 'clock');
end
$$
