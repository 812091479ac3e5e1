-- expand: events and answers that came before anything waited for them, in order of arrival.
create table durable.mailbox (
    -- Whom it is for.
    execution_id uuid not null,
    -- Its place. A message that a wait had taken returns to the place it had.
    arrival bigint generated always as identity,
    -- Given by the sender, so that a message that is sent again is kept once.
    message_id uuid not null,
    sent_at timestamptz not null,
    kind text not null,
    -- The name of the event or input.
    name text not null,
    -- Who answered, as the client says.
    sent_by text,
    payload json not null,
    constraint mailbox_pkey primary key (execution_id, arrival),
    constraint kind_is_known check (kind in ('event', 'input'))
) with (
    -- Rows come and go at once.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);
