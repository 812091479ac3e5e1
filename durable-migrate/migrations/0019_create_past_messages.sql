-- expand: messages that waits received before their execution continued as new, and whose waits are gone with the journal.
-- A sender that lost the answer may send a message again, and it is still taken once. Written and cleaned up by `continue_as_new`.
create table durable.past_messages (
    execution_id uuid not null,
    message_id uuid not null,
    -- When its wait was removed.
    forgotten_at timestamptz not null,
    constraint past_messages_pkey primary key (execution_id, message_id)
) with (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000
);
