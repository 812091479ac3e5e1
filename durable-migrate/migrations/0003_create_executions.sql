-- expand: one row per execution. What changes stands last, so that an update writes only its tail to the WAL.
create table durable.executions (
    shard smallint not null,
    execution_id uuid not null,
    created_at timestamptz not null,
    version int not null,
    priority smallint not null,
    workflow text not null,
    queue text not null,
    key text,
    input json not null,
    state text not null,
    epoch int not null,
    claims smallint not null,
    worker_id uuid,
    wake_at timestamptz,
    started_at timestamptz,
    deadline_at timestamptz,
    finished_at timestamptz,
    output json,
    error json,
    constraint executions_pkey primary key (shard, execution_id),
    constraint state_is_known check (state in (
        'pending', 'running', 'waiting', 'completed', 'failed', 'cancelled',
        'compensating', 'compensated', 'compensation_failed'
    )),
    constraint finished_at_only_when_finished check (
        (finished_at is not null)
        = (state in ('completed', 'failed', 'cancelled', 'compensated', 'compensation_failed'))
    ),
    constraint running_under_a_worker check (state <> 'running' or worker_id is not null),
    constraint wakes_only_when_not_running check (wake_at is null or state in ('pending', 'waiting')),
    constraint version_starts_at_one check (version >= 1)
) with (fillfactor = 60);

create unique index executions_by_key
on durable.executions (shard, workflow, key)
where key is not null;

create index executions_to_claim
on durable.executions (shard, queue, priority desc, execution_id)
where state = 'pending' and wake_at is null;

create index executions_to_wake
on durable.executions (shard, wake_at)
where wake_at is not null;

create index executions_by_worker
on durable.executions (shard, worker_id)
where state = 'running';
