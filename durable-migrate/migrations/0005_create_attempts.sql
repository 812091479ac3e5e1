-- expand: attempts of a step that did not end it: those under way for long, those that failed and are retried.
create table durable.attempts (
    execution_id uuid not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    retry_at timestamptz,
    shard smallint not null,
    attempt smallint not null,
    key text not null,
    error json,
    constraint attempts_pkey primary key (shard, execution_id, key, attempt),
    constraint failed_attempts_say_why check ((finished_at is null) = (error is null))
);
