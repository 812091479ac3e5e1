-- expand: events that executions take no more. Written by `close_events` and `take_over`; removed by `drop_waits`,
-- `continue_as_new` and `executions/prune`. `send_event` writes and removes a row where it must wait for a close.
-- A table and not a look at `waits`: its key also stops a sender whose transaction cannot see the close.
create table durable.closed_events (
    execution_id uuid not null,
    -- The name of the event.
    name text not null,
    constraint closed_events_pkey primary key (execution_id, name)
) with (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);

-- `close` is the call that closes an event, and `closed` the end of a wait for one that is closed.
alter table durable.waits
    drop constraint kind_is_known,
    add constraint kind_is_known check (kind in ('sleep', 'event', 'input', 'topic', 'child', 'close')),
    drop constraint outcome_is_known,
    add constraint outcome_is_known check (outcome in ('elapsed', 'received', 'timed_out', 'cancelled', 'closed'));
