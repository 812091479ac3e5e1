-- expand: the due times for which a schedule fired. The one row of a schedule and a due time is the only authority on it.
create table durable.schedule_firings (
    schedule text not null,
    due_at timestamptz not null,
    fired_at timestamptz not null,
    -- What made it fire: its rule, or a person.
    cause text not null,

    -- What came of it. `queued` becomes another when the execution before it has ended.
    outcome text not null,
    -- The execution that it started.
    execution_id uuid,
    -- When the end of its execution was counted as a success or a failure.
    judged_at timestamptz,
    constraint schedule_firings_pkey primary key (schedule, due_at),
    constraint cause_is_known check (cause in ('due', 'trigger', 'backfill')),
    constraint outcome_is_known check (outcome in ('started', 'queued', 'skipped')),
    constraint started_with_an_execution check ((outcome = 'started') = (execution_id is not null))
) with (fillfactor = 80);

-- Executions of a schedule that may not have ended.
create index schedule_firings_open
on durable.schedule_firings (schedule, due_at)
where outcome = 'started' and judged_at is null;

create index schedule_firings_queued
on durable.schedule_firings (schedule, due_at)
where outcome = 'queued';
