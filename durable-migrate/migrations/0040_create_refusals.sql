-- expand: messages that a wait could not use, with the reason; the wait went on without them.
create table durable.refusals (
    execution_id uuid not null,
    refused_at timestamptz not null,
    message_id uuid not null,
    shard smallint not null,
    key text not null,
    kind text not null,
    name text not null,
    reason text not null,
    payload json,
    sent_by text,
    constraint refusals_pkey primary key (shard, execution_id, key, message_id)
);
