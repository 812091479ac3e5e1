-- expand: attempts of a step that did not end it: attempts that failed and are repeated, and those that have run for long.
-- Written by the worker that holds the execution.
create table durable.attempts (
    execution_id uuid not null,
    started_at timestamptz not null,
    -- When it failed; null while it runs, or if it was interrupted.
    finished_at timestamptz,
    -- When the next attempt begins.
    retry_at timestamptz,
    -- Its number, from 1.
    attempt smallint not null,
    -- The key of the step in the journal.
    key text not null,
    error json,
    constraint attempts_pkey primary key (execution_id, key, attempt),
    constraint failed_attempts_say_why check ((finished_at is null) = (error is null))
) with (
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.05
);
