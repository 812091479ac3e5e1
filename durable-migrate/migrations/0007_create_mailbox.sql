-- expand: events and inputs that came before anything waited for them, in order of arrival.
create table durable.mailbox (
    shard smallint not null,
    execution_id uuid not null,
    arrival bigint generated always as identity,
    message_id uuid not null,
    sent_at timestamptz not null,
    kind text not null,
    name text not null,
    payload json not null,
    constraint mailbox_pkey primary key (shard, execution_id, arrival),
    constraint kind_is_known check (kind in ('event', 'input'))
);
