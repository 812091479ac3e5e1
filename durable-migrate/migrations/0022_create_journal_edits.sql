-- expand: why a retry or a fork has an input or the output of a step that a person gave.
create table durable.journal_edits (
    execution_id uuid not null,
    edited_at timestamptz not null,
    -- The key of the step in the journal; empty for the input of the execution.
    key text not null,
    reason text not null,
    -- The person, if known.
    edited_by text,
    constraint journal_edits_pkey primary key (execution_id, key)
);
