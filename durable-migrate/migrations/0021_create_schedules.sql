-- expand: schedules, and the times for which they fired. A row of a schedule and a due time is the only authority: there is one.
create table durable.schedules (
    shard smallint not null,
    schedule text not null,
    created_at timestamptz not null,
    workflow text not null,
    version int not null,
    queue text not null,
    priority smallint not null,
    input json not null,
    concurrency_key text,
    rule text not null,
    timezone text not null,
    starts_at timestamptz,
    ends_at timestamptz,
    jitter interval not null,
    missed text not null,
    missed_window interval,
    overlap text not null,
    max_failures int,
    declared boolean not null,
    revision int not null,
    updated_at timestamptz not null,
    enabled boolean not null,
    disabled_reason text,
    failures int not null,
    last_error json,
    next_due_at timestamptz,
    constraint schedules_pkey primary key (shard, schedule),
    constraint missed_is_known check (missed in ('skip', 'one', 'all', 'window')),
    constraint window_comes_with_its_policy check ((missed = 'window') = (missed_window is not null)),
    constraint overlap_is_known check (overlap in ('allow', 'skip', 'queue', 'cancel')),
    constraint max_failures_starts_at_one check (max_failures >= 1),
    constraint reason_only_when_disabled check (disabled_reason is null or not enabled)
) with (fillfactor = 60);

create index schedules_to_fire
on durable.schedules (shard, next_due_at)
where enabled and next_due_at is not null;

create table durable.schedule_fires (
    shard smallint not null,
    schedule text not null,
    due_at timestamptz not null,
    fired_at timestamptz not null,
    cause text not null,
    outcome text not null,
    execution_id uuid,
    -- When the end of its execution was counted as a success or a failure.
    judged_at timestamptz,
    constraint schedule_fires_pkey primary key (shard, schedule, due_at),
    constraint cause_is_known check (cause in ('due', 'trigger', 'backfill')),
    constraint outcome_is_known check (outcome in ('started', 'queued', 'skipped')),
    constraint started_with_an_execution check ((outcome = 'started') = (execution_id is not null))
) with (fillfactor = 80);

create index schedule_fires_open
on durable.schedule_fires (shard, schedule, due_at)
where outcome = 'started' and judged_at is null;

create index schedule_fires_queued
on durable.schedule_fires (shard, schedule, due_at)
where outcome = 'queued';
