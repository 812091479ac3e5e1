-- expand: one row for each execution. Columns that change are last, so that an update writes only the end of the row to the WAL.
create table durable.executions (
    -- A UUIDv7, made by the client or function that starts the execution. The columns up to `input` are written at its creation; only a debounced start
    -- changes some of them, until the execution begins.
    execution_id uuid not null,
    created_at timestamptz not null,
    -- The version of the workflow.
    version int not null,
    -- Higher is claimed earlier: one level counts as much as a minute of waiting.
    priority smallint not null,
    -- The name of the workflow.
    workflow text not null,
    queue text not null,
    -- The key of the start; a workflow has one execution with it, for ever. A retry takes it from children that it starts again.
    key text,
    -- Executions with the same key take turns and share limits.
    concurrency_key text,
    -- A workflow has one execution with this key that has not ended.
    deduplication_key text,
    -- A workflow has one execution with this key that has not begun.
    debounce_key text,
    -- The schedule that started it, and the due time it was started for.
    schedule text,
    scheduled_for timestamptz,
    -- The execution that started it as a child, and the key of the call in the parent's journal.
    parent_id uuid,
    parent_key text,
    -- What the end of its parent does to it: `await` (the parent waits for it, and it ends with the wait), `cancel` (it is cancelled or
    -- rolled back with the parent) or `detach` (it continues).
    parent_policy text,
    -- True if a compensation of its parent started it; null otherwise. What a compensation started is not undone with the parent.
    by_compensation boolean,
    -- The execution whose journal it took over when it began: it is a retry or a fork of that one.
    forked_from uuid,
    -- The first execution in a line of retries and forks; all of them have its UUIDs and idempotency keys. Null for its own id.
    namespace uuid,
    -- The completed child whose steps it compensates.
    undoes uuid,
    -- If it runs a step that another execution sent to its queue: the step's journal key, the execution to which the step belongs, the
    -- namespace of that execution, and whether the step is undone if it fails or is cut off. Null if it runs a workflow.
    step_key text,
    owner_id uuid,
    owner_namespace uuid,
    undo_on_failure boolean,
    -- Where its start was in a trace (W3C: traceparent, then a space and tracestate); null outside any trace.
    trace_context text,
    input json not null,

    -- What a claim writes, and the end of the execution does not, comes before what both write.
    -- The worker that holds it, or held it last. Written by claims.
    worker_id uuid,
    -- Its place in line: the time at which it may begin, minus a minute for each level of priority. Smaller is claimed first.
    rank timestamptz,
    -- How often it was claimed. Every write of a worker carries it. Raised by claims, and to take the execution from its worker.
    epoch int not null,
    -- When it was first claimed, and when the workflow's timeout is over. Written by the first claim.
    started_at timestamptz,
    deadline_at timestamptz,

    -- The view `shown_executions` says it in the words that people are shown: `paused`, `stopped`, `compensating` and `expired`, too.
    state text not null,
    -- Claims since it last came to rest. Too many show that it kills its workers.
    claims smallint not null,
    -- When it goes back into its queue; `infinity` while it is pending and paused; null if it waits for no time.
    wake_at timestamptz,
    -- When it ends if it has not begun; null once it has.
    expires_at timestamptz,
    -- Since when it goes no further, on request. Written by `pause` and `resume`.
    paused_at timestamptz,
    -- The ordinal of its last parking. Waits that ended later are new to it.
    rested_ordinal bigint,
    -- Why it is rolled back; null if it is not. While this is set, a claim runs compensations instead of the workflow.
    rollback json,
    finished_at timestamptz,
    -- When its parent was notified of its end; null before that, and if the parent does not wait for it.
    parent_notified_at timestamptz,
    output json,
    -- Why it failed or, while it waits, why it was stopped.
    error json,
    constraint executions_pkey primary key (execution_id),
    constraint state_is_known check (state in (
        'pending', 'running', 'waiting', 'completed', 'failed', 'cancelled', 'compensated', 'compensation_failed'
    )),
    constraint finished_at_only_when_finished check (
        (finished_at is not null)
        = (state in ('completed', 'failed', 'cancelled', 'compensated', 'compensation_failed'))
    ),
    constraint running_under_a_worker check (state <> 'running' or worker_id is not null),
    constraint wakes_only_when_not_running check (wake_at is null or state in ('pending', 'waiting')),
    constraint pending_executions_have_a_rank check (state <> 'pending' or rank is not null),
    constraint expires_only_before_it_begins check (expires_at is null or (state = 'pending' and epoch = 0)),
    constraint version_starts_at_one check (version >= 1),
    constraint concurrency_key_is_not_empty check (concurrency_key <> ''),
    constraint scheduled_for_a_time check ((schedule is null) = (scheduled_for is null)),
    constraint parent_policy_is_known check (parent_policy in ('await', 'cancel', 'detach')),
    constraint parents_come_whole check ((parent_id is null) = (parent_key is null) and (parent_id is null) = (parent_policy is null))
) with (
    fillfactor = 60,
    -- Each row is updated at least twice, and every claim walks over the dead entries of the indexes of pending executions: vacuum after
    -- a hundredth of the rows and not after a fifth.
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05
);

-- A start with a key finds the execution that has it.
create unique index executions_by_key
on durable.executions (workflow, key)
where key is not null;

create unique index executions_by_deduplication_key
on durable.executions (workflow, deduplication_key)
where deduplication_key is not null and finished_at is null;

create unique index executions_debounced
on durable.executions (workflow, debounce_key)
where debounce_key is not null and state = 'pending' and epoch = 0;

-- Claims without concurrency keys, in line.
create index executions_by_rank
on durable.executions (queue, rank, execution_id)
where state = 'pending' and wake_at is null and concurrency_key is null;

-- Claims while the rate of the queue allows no more beginnings.
create index executions_begun
on durable.executions (queue, rank, execution_id)
where state = 'pending' and wake_at is null and concurrency_key is null and epoch > 0;

-- Claims key by key. Executions that have begun come before the others: a key that may begin nothing now goes on with these.
create index executions_by_turn
on durable.executions (queue, workflow, concurrency_key, (epoch = 0), rank, execution_id)
where state = 'pending' and wake_at is null and concurrency_key is not null;

-- Limits of concurrency keys count these.
create index executions_running_by_key
on durable.executions (workflow, concurrency_key)
where state = 'running' and concurrency_key is not null;

-- Rescue, limits of queues and the doctor.
create index executions_by_worker
on durable.executions (worker_id)
where state = 'running';

create index executions_to_wake
on durable.executions (wake_at)
where wake_at is not null;

create index executions_to_expire
on durable.executions (expires_at)
where expires_at is not null;

create index executions_by_parent
on durable.executions (parent_id)
where parent_id is not null;

-- Children that end when their parent does.
create index executions_unfinished_children
on durable.executions (parent_id)
where parent_id is not null and finished_at is null;

-- Children whose parent is still to be notified of their end.
create index executions_unnotified
on durable.executions (execution_id)
where parent_policy = 'await' and finished_at is not null and parent_notified_at is null;

create index executions_by_origin
on durable.executions (forked_from)
where forked_from is not null;
