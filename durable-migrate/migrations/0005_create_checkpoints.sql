-- expand: the committed outcome of each step, and of each race. A row is inserted once and never changed.
-- Written by the worker that holds the execution; copied by `take_over` for a retry or a fork.
create table durable.checkpoints (
    execution_id uuid not null,
    -- Its number in the order of writing.
    ordinal bigint not null default nextval('durable.journal_ordinals'),
    -- The digest of the step's arguments, to notice on replay that they differ; null if there is none to compare.
    digest bigint,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    -- The place of the step among those that can be undone: a rollback undoes the highest first. Null if it cannot be undone.
    undo_order int,
    -- The number of the attempt that ended the step, from 1.
    attempt smallint not null,
    -- The key of the call in the journal, as in `step charge`.
    key text not null,
    output json,
    error json,
    constraint checkpoints_pkey primary key (execution_id, key),
    constraint output_or_error check ((output is null) <> (error is null))
) with (
    -- Only inserted and pruned: frozen often enough to be frozen in small parts.
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.05
);
