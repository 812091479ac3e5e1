-- expand: what starts a workflow again and again.
create table durable.schedules (
    -- Its name. The columns up to `updated_at` are written by the client that puts it, or by the worker that declares it.
    schedule text not null,
    created_at timestamptz not null,
    -- What it starts: see the columns of `executions`.
    workflow text not null,
    version int not null,
    queue text not null,
    priority smallint not null,
    input json not null,
    concurrency_key text,
    time_to_live interval,
    -- When: a cron expression or an interval, in the time zone of that name, between these times.
    rule text not null,
    timezone text not null,
    starts_at timestamptz,
    ends_at timestamptz,
    -- The longest that an execution begins after its due time, at random.
    jitter interval not null,
    -- What to do about due times that passed while no worker ran, and how far back `window` looks.
    missed text not null,
    missed_window interval,
    -- What to do if the execution for an earlier due time has not ended.
    overlap text not null,
    -- Failures in a row after which it is disabled; null for never.
    max_failures int,
    -- Whether code declares it, in which case each start of a worker writes it again.
    declared boolean not null,
    -- Raised by each change, so that what was computed for an earlier rule is not carried out.
    revision int not null,
    updated_at timestamptz not null,

    enabled boolean not null,
    -- Why it was disabled, by a person or by its failures.
    disabled_reason text,
    -- Failures in a row, and the last one. Written at the next due time.
    failures int not null,
    last_error json,
    -- When it fires next; null if never again. Written by each firing.
    next_due_at timestamptz,
    constraint schedules_pkey primary key (schedule),
    constraint missed_is_known check (missed in ('skip', 'one', 'all', 'window')),
    constraint window_comes_with_its_policy check ((missed = 'window') = (missed_window is not null)),
    constraint overlap_is_known check (overlap in ('allow', 'skip', 'queue', 'cancel')),
    constraint max_failures_starts_at_one check (max_failures >= 1),
    constraint reason_only_when_disabled check (disabled_reason is null or not enabled),
    constraint time_to_live_is_above_zero check (time_to_live > '0')
) with (fillfactor = 60);

create index schedules_to_fire
on durable.schedules (next_due_at)
where enabled and next_due_at is not null;
