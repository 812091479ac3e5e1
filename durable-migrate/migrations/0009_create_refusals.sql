-- expand: messages that a wait could not use, with the reason. The wait went on without them. Written by `refuse_messages`.
create table durable.refusals (
    execution_id uuid not null,
    refused_at timestamptz not null,
    message_id uuid not null,
    -- The key of the wait in the journal.
    key text not null,
    -- The kind of the wait.
    kind text not null,
    -- The name of the event, input or topic.
    name text not null,
    reason text not null,
    sent_by text,
    payload json,
    constraint refusals_pkey primary key (execution_id, key, message_id)
);
