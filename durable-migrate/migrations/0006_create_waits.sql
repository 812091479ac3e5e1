-- expand: what an execution waits for, and who won: the answer, or the time.
create table durable.waits (
    execution_id uuid not null,
    started_at timestamptz not null,
    due_at timestamptz,
    resolved_at timestamptz,
    message_id uuid,
    shard smallint not null,
    key text not null,
    kind text not null,
    name text not null,
    outcome text,
    prompt text,
    schema json,
    payload json,
    constraint waits_pkey primary key (shard, execution_id, key),
    constraint kind_is_known check (kind in ('sleep', 'event', 'input')),
    constraint outcome_is_known check (outcome in ('elapsed', 'received', 'timed_out', 'cancelled')),
    constraint resolved_at_only_with_outcome check ((resolved_at is null) = (outcome is null))
) with (fillfactor = 80);

create index waits_for_input
on durable.waits (shard, due_at, execution_id)
where kind = 'input' and outcome is null;
