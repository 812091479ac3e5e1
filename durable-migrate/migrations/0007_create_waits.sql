-- expand: what an execution waits for, and who won: the answer, or the time.
create table durable.waits (
    -- The columns up to `metadata` are written by the worker that registers the wait; `child_id` right after, with the child.
    execution_id uuid not null,
    -- Its number in the order of writing.
    ordinal bigint not null default nextval('durable.journal_ordinals'),
    started_at timestamptz not null,
    -- When the sleep is over, or the wait times out; null for a wait without end.
    due_at timestamptz,
    -- The child that it is for.
    child_id uuid,
    -- The digest of the arguments of a step that a child runs in another queue; null for every other wait.
    digest bigint,
    -- The key of the call in the journal.
    key text not null,
    kind text not null,
    -- The name of the event, input or topic; empty for a sleep.
    name text not null,
    -- The names of a wait for any of several events.
    names text[],
    -- What a publication to the topic must carry to be for this wait.
    correlation text,
    -- What people are shown of an input: the question, the JSON Schema of its answer, the form to draw, and what the workflow adds.
    prompt text,
    schema json,
    form text,
    metadata json,

    -- How it ended; null while it is open. All columns from here on are written when it ends, and set back to null if the workflow
    -- cannot use the message.
    outcome text,
    resolved_at timestamptz,
    -- The number of its end in the order of writing.
    resolved_ordinal bigint,
    -- The message that ended it, and the message's place in the mailbox, to which it returns if the wait is dropped.
    message_id uuid,
    arrival bigint,
    answered_by text,
    payload json,
    constraint waits_pkey primary key (execution_id, key),
    constraint kind_is_known check (kind in ('sleep', 'event', 'input', 'topic', 'child')),
    constraint form_is_known check (form in ('approval', 'choice', 'choices', 'text', 'number', 'form')),
    constraint outcome_is_known check (outcome in ('elapsed', 'received', 'timed_out', 'cancelled')),
    constraint resolved_at_only_with_outcome check ((resolved_at is null) = (outcome is null))
) with (
    fillfactor = 80,
    -- Rows are updated once; pruning deletes them in batches.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05
);

-- The open waits of one execution, which may have thousands that ended.
create index waits_open
on durable.waits (execution_id)
where outcome is null;

-- The questions that are open, for people.
create index waits_for_input
on durable.waits (due_at, execution_id)
where kind = 'input' and outcome is null;

-- A publication finds the waits that it is for.
create index waits_for_topic
on durable.waits (name, correlation)
where kind = 'topic' and outcome is null;
