-- The schema after all migrations, for reading. A test writes it: DURABLE_BLESS=1 cargo test migrating

create table durable.attempts (
    execution_id uuid not null,
    started_at timestamp with time zone not null,
    finished_at timestamp with time zone,
    retry_at timestamp with time zone,
    attempt smallint not null,
    key text not null,
    error json,
    constraint attempts_pkey PRIMARY KEY (execution_id, key, attempt),
    constraint failed_attempts_say_why CHECK ((finished_at IS NULL) = (error IS NULL))
) with (autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_insert_scale_factor=0.05);

create table durable.checkpoints (
    execution_id uuid not null,
    ordinal bigint default nextval('durable.journal_ordinals'::regclass) not null,
    digest bigint,
    started_at timestamp with time zone not null,
    finished_at timestamp with time zone not null,
    undo_order integer,
    attempt smallint not null,
    key text not null,
    output json,
    error json,
    constraint checkpoints_pkey PRIMARY KEY (execution_id, key),
    constraint output_or_error CHECK ((output IS NULL) <> (error IS NULL))
) with (autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_insert_scale_factor=0.05);

create table durable.clock (
    singleton boolean default true not null,
    frozen_at timestamp with time zone,
    ahead_by interval default '00:00:00'::interval not null,
    constraint clock_pkey PRIMARY KEY (singleton),
    constraint there_is_one_clock CHECK (singleton)
);

create table durable.closed_events (
    execution_id uuid not null,
    name text not null,
    constraint closed_events_pkey PRIMARY KEY (execution_id, name)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000);

create table durable.duties (
    duty text not null,
    due_at timestamp with time zone not null,
    taken_at timestamp with time zone not null,
    worker_id uuid not null,
    done_at timestamp with time zone,
    constraint duties_pkey PRIMARY KEY (duty)
) with (fillfactor=50);

create table durable.execution_tags (
    execution_id uuid not null,
    name text not null,
    value text not null,
    constraint execution_tags_pkey PRIMARY KEY (execution_id, name)
);

create table durable.execution_values (
    execution_id uuid not null,
    set_at timestamp with time zone not null,
    revision integer not null,
    name text not null,
    key text not null,
    value json not null,
    metadata json,
    state text,
    node json,
    constraint execution_values_pkey PRIMARY KEY (execution_id, name)
) with (fillfactor=80, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000);

create table durable.executions (
    execution_id uuid not null,
    created_at timestamp with time zone not null,
    version integer not null,
    priority smallint not null,
    workflow text not null,
    queue text not null,
    key text,
    concurrency_key text,
    deduplication_key text,
    debounce_key text,
    schedule text,
    scheduled_for timestamp with time zone,
    parent_id uuid,
    parent_key text,
    parent_policy text,
    by_compensation boolean,
    forked_from uuid,
    namespace uuid,
    undoes uuid,
    step_key text,
    owner_id uuid,
    owner_namespace uuid,
    undo_on_failure boolean,
    trace_context text,
    input json not null,
    worker_id uuid,
    rank timestamp with time zone,
    epoch integer not null,
    started_at timestamp with time zone,
    deadline_at timestamp with time zone,
    state text not null,
    claims smallint not null,
    wake_at timestamp with time zone,
    expires_at timestamp with time zone,
    paused_at timestamp with time zone,
    rested_ordinal bigint,
    rollback json,
    finished_at timestamp with time zone,
    parent_notified_at timestamp with time zone,
    output json,
    error json,
    continuations integer,
    continued_with json,
    archived_at timestamp with time zone,
    constraint executions_pkey PRIMARY KEY (execution_id),
    constraint concurrency_key_is_not_empty CHECK (concurrency_key <> ''::text),
    constraint expires_only_before_it_begins CHECK (expires_at IS NULL OR state = 'pending'::text AND epoch = 0),
    constraint finished_at_only_when_finished CHECK ((finished_at IS NOT NULL) = (state = ANY (ARRAY['completed'::text, 'failed'::text, 'cancelled'::text, 'compensated'::text, 'compensation_failed'::text]))),
    constraint parent_policy_is_known CHECK (parent_policy = ANY (ARRAY['await'::text, 'cancel'::text, 'detach'::text])),
    constraint parents_come_whole CHECK ((parent_id IS NULL) = (parent_key IS NULL) AND (parent_id IS NULL) = (parent_policy IS NULL)),
    constraint pending_executions_have_a_rank CHECK (state <> 'pending'::text OR rank IS NOT NULL),
    constraint running_under_a_worker CHECK (state <> 'running'::text OR worker_id IS NOT NULL),
    constraint scheduled_for_a_time CHECK ((schedule IS NULL) = (scheduled_for IS NULL)),
    constraint state_is_known CHECK (state = ANY (ARRAY['pending'::text, 'running'::text, 'waiting'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'compensated'::text, 'compensation_failed'::text])),
    constraint version_starts_at_one CHECK (version >= 1),
    constraint wakes_only_when_not_running CHECK (wake_at IS NULL OR (state = ANY (ARRAY['pending'::text, 'waiting'::text])))
) with (fillfactor=60, autovacuum_vacuum_scale_factor=0.01, autovacuum_vacuum_threshold=1000, autovacuum_vacuum_insert_scale_factor=0.05, autovacuum_analyze_scale_factor=0.05);

create table durable.function_digest (
    singleton boolean default true not null,
    digest text not null,
    release text not null,
    applied_at timestamp with time zone default clock_timestamp() not null,
    constraint function_digest_pkey PRIMARY KEY (singleton),
    constraint there_is_one_digest CHECK (singleton)
);

create table durable.journal_edits (
    execution_id uuid not null,
    edited_at timestamp with time zone not null,
    key text not null,
    reason text not null,
    edited_by text,
    constraint journal_edits_pkey PRIMARY KEY (execution_id, key)
);

create table durable.mailbox (
    execution_id uuid not null,
    arrival bigint generated always as identity not null,
    message_id uuid not null,
    sent_at timestamp with time zone not null,
    kind text not null,
    name text not null,
    sent_by text,
    payload json not null,
    constraint mailbox_pkey PRIMARY KEY (execution_id, arrival),
    constraint kind_is_known CHECK (kind = ANY (ARRAY['event'::text, 'input'::text]))
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000);

create table durable.migrations (
    version integer not null,
    name text not null,
    kind text not null,
    checksum text not null,
    applied_at timestamp with time zone default clock_timestamp() not null,
    constraint migrations_pkey PRIMARY KEY (version),
    constraint kind_is_known CHECK (kind = ANY (ARRAY['expand'::text, 'contract'::text, 'breaking'::text])),
    constraint version_starts_at_one CHECK (version >= 1)
);

create table durable.node_history (
    execution_id uuid not null,
    set_at timestamp with time zone not null,
    revision integer not null,
    name text not null,
    value json not null,
    metadata json,
    constraint node_history_pkey PRIMARY KEY (execution_id, name, revision)
);

create table durable.past_messages (
    execution_id uuid not null,
    message_id uuid not null,
    forgotten_at timestamp with time zone not null,
    constraint past_messages_pkey PRIMARY KEY (execution_id, message_id)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000);

create table durable.publications (
    ordinal bigint default nextval('durable.journal_ordinals'::regclass) not null,
    published_at timestamp with time zone not null,
    message_id uuid not null,
    topic text not null,
    key text not null,
    constraint publications_pkey PRIMARY KEY (topic, key)
);

create table durable.queue_starts (
    queue text not null,
    key text not null,
    started_at timestamp with time zone not null,
    starts integer not null,
    constraint queue_starts_pkey PRIMARY KEY (queue, key, started_at) INCLUDE (starts)
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000);

create table durable.queues (
    queue text not null,
    concurrency integer,
    rate integer,
    rate_period interval,
    key_rate integer,
    key_rate_period interval,
    paused_at timestamp with time zone,
    updated_at timestamp with time zone not null,
    turn_workflow text,
    turn_key text,
    keys_first boolean default true not null,
    constraint queues_pkey PRIMARY KEY (queue),
    constraint concurrency_starts_at_one CHECK (concurrency >= 1),
    constraint key_rate_has_a_period CHECK ((key_rate IS NULL) = (key_rate_period IS NULL) AND key_rate_period > '00:00:00'::interval),
    constraint key_rate_starts_at_one CHECK (key_rate >= 1),
    constraint queue_is_not_empty CHECK (queue <> ''::text),
    constraint rate_has_a_period CHECK ((rate IS NULL) = (rate_period IS NULL) AND rate_period > '00:00:00'::interval),
    constraint rate_starts_at_one CHECK (rate >= 1),
    constraint turns_come_whole CHECK ((turn_workflow IS NULL) = (turn_key IS NULL))
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=200);

create table durable.refusals (
    execution_id uuid not null,
    refused_at timestamp with time zone not null,
    message_id uuid not null,
    key text not null,
    kind text not null,
    name text not null,
    reason text not null,
    sent_by text,
    payload json,
    constraint refusals_pkey PRIMARY KEY (execution_id, key, message_id)
);

create table durable.schedule_firings (
    schedule text not null,
    due_at timestamp with time zone not null,
    fired_at timestamp with time zone not null,
    cause text not null,
    outcome text not null,
    execution_id uuid,
    judged_at timestamp with time zone,
    constraint schedule_firings_pkey PRIMARY KEY (schedule, due_at),
    constraint cause_is_known CHECK (cause = ANY (ARRAY['due'::text, 'trigger'::text, 'backfill'::text])),
    constraint outcome_is_known CHECK (outcome = ANY (ARRAY['started'::text, 'queued'::text, 'skipped'::text])),
    constraint started_with_an_execution CHECK ((outcome = 'started'::text) = (execution_id IS NOT NULL))
) with (fillfactor=80);

create table durable.schedules (
    schedule text not null,
    created_at timestamp with time zone not null,
    workflow text not null,
    version integer not null,
    queue text not null,
    priority smallint not null,
    input json not null,
    concurrency_key text,
    time_to_live interval,
    rule text not null,
    timezone text not null,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    jitter interval not null,
    missed text not null,
    missed_window interval,
    overlap text not null,
    max_failures integer,
    declared boolean not null,
    revision integer not null,
    updated_at timestamp with time zone not null,
    enabled boolean not null,
    disabled_reason text,
    failures integer not null,
    last_error json,
    next_due_at timestamp with time zone,
    tags json,
    constraint schedules_pkey PRIMARY KEY (schedule),
    constraint max_failures_starts_at_one CHECK (max_failures >= 1),
    constraint missed_is_known CHECK (missed = ANY (ARRAY['skip'::text, 'one'::text, 'all'::text, 'window'::text])),
    constraint overlap_is_known CHECK (overlap = ANY (ARRAY['allow'::text, 'skip'::text, 'queue'::text, 'cancel'::text])),
    constraint reason_only_when_disabled CHECK (disabled_reason IS NULL OR NOT enabled),
    constraint time_to_live_is_above_zero CHECK (time_to_live > '00:00:00'::interval),
    constraint window_comes_with_its_policy CHECK ((missed = 'window'::text) = (missed_window IS NOT NULL))
) with (fillfactor=60);

create table durable.step_logs (
    execution_id uuid not null,
    epoch integer not null,
    left_out integer not null,
    attempt smallint not null,
    key text not null,
    lines json not null,
    constraint step_logs_pkey PRIMARY KEY (execution_id, key, attempt, epoch)
) with (autovacuum_vacuum_scale_factor=0.05, autovacuum_vacuum_insert_scale_factor=0.05);

create table durable.waits (
    execution_id uuid not null,
    ordinal bigint default nextval('durable.journal_ordinals'::regclass) not null,
    started_at timestamp with time zone not null,
    due_at timestamp with time zone,
    child_id uuid,
    digest bigint,
    key text not null,
    kind text not null,
    name text not null,
    names text[],
    correlation text,
    prompt text,
    schema json,
    form text,
    metadata json,
    outcome text,
    resolved_at timestamp with time zone,
    resolved_ordinal bigint,
    message_id uuid,
    arrival bigint,
    answered_by text,
    payload json,
    assignee text,
    constraint waits_pkey PRIMARY KEY (execution_id, key),
    constraint form_is_known CHECK (form = ANY (ARRAY['approval'::text, 'choice'::text, 'choices'::text, 'text'::text, 'number'::text, 'form'::text])),
    constraint kind_is_known CHECK (kind = ANY (ARRAY['sleep'::text, 'event'::text, 'input'::text, 'topic'::text, 'child'::text, 'close'::text])),
    constraint outcome_is_known CHECK (outcome = ANY (ARRAY['elapsed'::text, 'received'::text, 'timed_out'::text, 'cancelled'::text, 'closed'::text])),
    constraint resolved_at_only_with_outcome CHECK ((resolved_at IS NULL) = (outcome IS NULL))
) with (fillfactor=80, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=1000, autovacuum_vacuum_insert_scale_factor=0.05);

create table durable.workers (
    worker_id uuid not null,
    host text not null,
    process_id integer not null,
    queues text[] not null,
    slots integer[] default '{}'::integer[] not null,
    workflows text[],
    version text,
    started_at timestamp with time zone not null,
    lease interval,
    lease_until timestamp with time zone not null,
    lost_at timestamp with time zone,
    deprecated_at timestamp with time zone,
    slots_in_use integer[] default '{}'::integer[] not null,
    troubles json,
    unresponsive_since timestamp with time zone,
    stuck_executions uuid[] default '{}'::uuid[] not null,
    constraint workers_lost_key UNIQUE (worker_id, lost_at),
    constraint workers_pkey PRIMARY KEY (worker_id)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=200);

create table durable.workflow_graphs (
    version integer not null,
    kept_at timestamp with time zone not null,
    workflow text not null,
    graph json not null,
    constraint workflow_graphs_pkey PRIMARY KEY (workflow, version)
);

CREATE INDEX execution_tags_by_value ON durable.execution_tags USING btree (name, value, execution_id);

CREATE INDEX executions_begun ON durable.executions USING btree (queue, rank, execution_id) WHERE ((state = 'pending'::text) AND (wake_at IS NULL) AND (concurrency_key IS NULL) AND (epoch > 0));

CREATE UNIQUE INDEX executions_by_deduplication_key ON durable.executions USING btree (workflow, deduplication_key) WHERE ((deduplication_key IS NOT NULL) AND (finished_at IS NULL));

CREATE UNIQUE INDEX executions_by_key ON durable.executions USING btree (workflow, key) WHERE (key IS NOT NULL);

CREATE INDEX executions_by_origin ON durable.executions USING btree (forked_from) WHERE (forked_from IS NOT NULL);

CREATE INDEX executions_by_parent ON durable.executions USING btree (parent_id) WHERE (parent_id IS NOT NULL);

CREATE INDEX executions_by_rank ON durable.executions USING btree (queue, rank, execution_id) WHERE ((state = 'pending'::text) AND (wake_at IS NULL) AND (concurrency_key IS NULL));

CREATE INDEX executions_by_turn ON durable.executions USING btree (queue, workflow, concurrency_key, ((epoch = 0)), rank, execution_id) WHERE ((state = 'pending'::text) AND (wake_at IS NULL) AND (concurrency_key IS NOT NULL));

CREATE INDEX executions_by_worker ON durable.executions USING btree (worker_id) WHERE (state = 'running'::text);

CREATE UNIQUE INDEX executions_debounced ON durable.executions USING btree (workflow, debounce_key) WHERE ((debounce_key IS NOT NULL) AND (state = 'pending'::text) AND (epoch = 0));

CREATE INDEX executions_running_by_key ON durable.executions USING btree (workflow, concurrency_key) WHERE ((state = 'running'::text) AND (concurrency_key IS NOT NULL));

CREATE INDEX executions_to_expire ON durable.executions USING btree (expires_at) WHERE (expires_at IS NOT NULL);

CREATE INDEX executions_to_wake ON durable.executions USING btree (wake_at) WHERE (wake_at IS NOT NULL);

CREATE INDEX executions_unfinished_children ON durable.executions USING btree (parent_id) WHERE ((parent_id IS NOT NULL) AND (finished_at IS NULL));

CREATE INDEX executions_unnotified ON durable.executions USING btree (execution_id) WHERE ((parent_policy = 'await'::text) AND (finished_at IS NOT NULL) AND (parent_notified_at IS NULL));

CREATE INDEX queue_starts_by_time ON durable.queue_starts USING btree (queue, started_at) WHERE (key <> ''::text);

CREATE INDEX schedule_firings_open ON durable.schedule_firings USING btree (schedule, due_at) WHERE ((outcome = 'started'::text) AND (judged_at IS NULL));

CREATE INDEX schedule_firings_queued ON durable.schedule_firings USING btree (schedule, due_at) WHERE (outcome = 'queued'::text);

CREATE INDEX schedules_to_fire ON durable.schedules USING btree (next_due_at) WHERE (enabled AND (next_due_at IS NOT NULL));

CREATE INDEX waits_by_assignee ON durable.waits USING btree (assignee, due_at, execution_id) WHERE ((kind = 'input'::text) AND (outcome IS NULL) AND (assignee IS NOT NULL));

CREATE INDEX waits_for_input ON durable.waits USING btree (due_at, execution_id) WHERE ((kind = 'input'::text) AND (outcome IS NULL));

CREATE INDEX waits_for_topic ON durable.waits USING btree (name, correlation) WHERE ((kind = 'topic'::text) AND (outcome IS NULL));

CREATE INDEX waits_open ON durable.waits USING btree (execution_id) WHERE (outcome IS NULL);

create view durable.present as
 SELECT COALESCE(frozen_at, clock_timestamp() + ahead_by) AS at
   FROM durable.clock;

create view durable.prunable_executions as
 SELECT execution_id,
    workflow,
    state,
    finished_at
   FROM durable.shown_executions ended
  WHERE finished_at IS NOT NULL AND (( SELECT execution_id
           FROM durable.executions child
          WHERE parent_id = execution_id AND finished_at IS NULL
         LIMIT 1)) IS NULL AND (( SELECT execution_id
           FROM durable.schedule_firings firing
          WHERE (schedule = ANY ((ARRAY( SELECT schedule
                   FROM durable.schedules
                  WHERE enabled AND next_due_at IS NOT NULL)))) AND schedule = schedule AND due_at = scheduled_for AND execution_id = execution_id AND judged_at IS NULL
         LIMIT 1)) IS NULL;

create view durable.shown_executions as
 SELECT execution_id,
    workflow,
    version,
    queue,
    priority,
    key,
    concurrency_key,
    deduplication_key,
    debounce_key,
    epoch,
        CASE
            WHEN finished_at IS NOT NULL THEN
            CASE
                WHEN state <> 'cancelled'::text OR epoch > 0 THEN state
                WHEN (error ->> 'kind'::text) = 'expired'::text THEN 'expired'::text
                ELSE state
            END
            WHEN state = 'waiting'::text AND error IS NOT NULL THEN 'stopped'::text
            WHEN paused_at IS NOT NULL THEN 'paused'::text
            WHEN rollback IS NOT NULL THEN 'compensating'::text
            ELSE state
        END AS state,
    input,
    output,
    error,
    rollback,
    created_at,
    started_at,
    NULLIF(wake_at, 'infinity'::timestamp with time zone) AS wake_at,
    expires_at,
    deadline_at,
    finished_at,
    parent_id,
    parent_key,
    parent_policy,
    parent_notified_at,
    undoes,
    schedule,
    scheduled_for,
    forked_from,
        CASE
            WHEN finished_at IS NULL THEN paused_at
            ELSE NULL::timestamp with time zone
        END AS paused_at,
    COALESCE(continuations, 0) AS continuations,
    continued_with,
    ( SELECT json_object_agg(name, value ORDER BY name) AS json_object_agg
           FROM durable.execution_tags
          WHERE execution_id = execution_id) AS tags,
    archived_at
   FROM durable.executions;

-- function durable.abandon_children(execution_ids uuid[], failure json, wait boolean)
--     returns TABLE(id uuid, state text, queue text, awaited_by uuid), volatile

-- function durable.archive(execution_id uuid)
--     returns timestamp with time zone, volatile

-- function durable.backfill_schedule(schedule text, revision integer, due_ats timestamp with time zone[])
--     returns integer, volatile

-- function durable.begin_rollback(worker_id uuid, execution_id uuid, epoch integer, cause json)
--     returns TABLE(id uuid, state text, queue text, awaited_by uuid), volatile

-- function durable.cancel(execution_id uuid, reason text DEFAULT 'cancelled by request'::text, compensate boolean DEFAULT false)
--     returns TABLE(id uuid, state text, queue text, awaited_by uuid), volatile

-- function durable.cancel_families(execution_ids uuid[], failure json, wait boolean)
--     returns TABLE(id uuid, state text, queue text, awaited_by uuid), volatile

-- function durable.cancel_wait(execution_id uuid, wait text, OUT woken_queue text, OUT cancelled uuid[])
--     returns record, volatile

-- function durable.check_edits(edits json)
--     returns void, immutable

-- function durable.check_inputs(what text, workflow text, version integer, names text[])
--     returns void, stable

-- function durable.check_name(what text, name text)
--     returns void, immutable

-- function durable.check_payload(what text, payload text)
--     returns void, immutable

-- function durable.check_tags(tags json)
--     returns json, immutable

-- function durable.choose(queue text, room integer, workflows text[], labels text[], key_limits integer[], OUT at timestamp with time zone, OUT chosen uuid[], OUT limited boolean, OUT retry_at timestamp with time zone)
--     returns record, volatile

-- function durable.claim(worker_id uuid, queue text, room integer, workflows text[], versions integer[], timeouts double precision[], labels text[], key_limits integer[])
--     returns TABLE(execution_id uuid, epoch integer, workflow text, version integer, rank timestamp with time zone, claims smallint, deadline_at timestamp with time zone, input text, rollback text, undoes uuid, awaited boolean, scheduled_for timestamp with time zone, namespace uuid, step_key text, owner_id uuid, owner_namespace uuid, trace_context text, started_at timestamp with time zone, ready_at timestamp with time zone, resolved text, limited boolean, retry_at timestamp with time zone), volatile

-- function durable.close_events(held uuid[], at timestamp with time zone)
--     returns void, volatile

-- function durable.commit_step(worker_id uuid, execution_id uuid, epoch integer, digest bigint, took double precision, attempt smallint, undo_order integer, key text, output text, idle_limit text)
--     returns TABLE(is_open boolean, is_held boolean, is_saved boolean, transaction_id text), volatile

-- function durable.complete(execution_id uuid, message_id uuid DEFAULT gen_random_uuid(), OUT outcome text, OUT woken_queue text)
--     returns record, volatile

-- function durable.continue_as_new(worker_id uuid, execution_id uuid, epoch integer, input json, namespace uuid, dropped_keys text[], refused_keys text[], refused_message_ids uuid[], refused_reasons text[])
--     returns TABLE(new_epoch integer, is_paused boolean), volatile

-- function durable.create_executions(execution_ids uuid[], workflows text[], versions integer[], queues text[], priorities smallint[], keys text[], inputs text[], start_ats timestamp with time zone[], delays double precision[], timeouts double precision[] DEFAULT NULL::double precision[], hand_offs boolean[] DEFAULT NULL::boolean[], worker_id uuid DEFAULT NULL::uuid, concurrency_keys text[] DEFAULT NULL::text[], deduplication_keys text[] DEFAULT NULL::text[], debounce_keys text[] DEFAULT NULL::text[], debounce_limits double precision[] DEFAULT NULL::double precision[], time_to_lives double precision[] DEFAULT NULL::double precision[], trace_contexts text[] DEFAULT NULL::text[], schedules text[] DEFAULT NULL::text[], scheduled_fors timestamp with time zone[] DEFAULT NULL::timestamp with time zone[], only_new boolean DEFAULT false, parent_ids uuid[] DEFAULT NULL::uuid[], parent_keys text[] DEFAULT NULL::text[], parent_policies text[] DEFAULT NULL::text[], by_compensations boolean[] DEFAULT NULL::boolean[], undoes uuid[] DEFAULT NULL::uuid[], rollbacks json[] DEFAULT NULL::json[], forked_froms uuid[] DEFAULT NULL::uuid[], namespaces uuid[] DEFAULT NULL::uuid[], step_keys text[] DEFAULT NULL::text[], owner_ids uuid[] DEFAULT NULL::uuid[], owner_namespaces uuid[] DEFAULT NULL::uuid[], undo_on_failures boolean[] DEFAULT NULL::boolean[], tags text[] DEFAULT NULL::text[])
--     returns TABLE(item bigint, execution_id uuid, outcome text), volatile

-- function durable.cut_off(execution_id uuid)
--     returns boolean, stable

-- function durable.debounce(workflow text, debounce_key text, version integer, queue text, priority smallint, input json, period double precision, at_most double precision, concurrency_key text, time_to_live double precision, trace_context text, tags json)
--     returns uuid, volatile

-- function durable.delete_queue(queue text)
--     returns void, volatile

-- function durable.deliver(execution_id uuid, kind text, name text, payload json, message_id uuid, sent_by text DEFAULT NULL::text, arrival bigint DEFAULT NULL::bigint)
--     returns text, volatile

-- function durable.delivered_before(execution_id uuid, message_id uuid)
--     returns boolean, stable

-- function durable.deprecate_worker(worker_id uuid)
--     returns void, volatile

-- function durable.drop_waits(held uuid[], execution_ids uuid[], keys text[], at timestamp with time zone)
--     returns void, volatile

-- function durable.end_executions(execution_ids uuid[], ended_as text, errors json[], at timestamp with time zone)
--     returns TABLE(id uuid, state text, queue text, awaited_by uuid), volatile

-- function durable.enlist_children(parent_ids uuid[])
--     returns void, volatile

-- function durable.failure(kind text, message text)
--     returns json, immutable

-- function durable.fire_schedules(names text[], revisions integer[], were_due_ats timestamp with time zone[], next_due_ats timestamp with time zone[], due_names text[], due_ats timestamp with time zone[], start_ats timestamp with time zone[])
--     returns TABLE(schedule text, due_at timestamp with time zone, outcome text, execution_id uuid, queue text, awaited_by uuid), volatile

-- function durable.forget_starts(settings durable.queues, at timestamp with time zone)
--     returns void, volatile

-- function durable.forget_workers()
--     returns void, volatile, security definer

-- function durable.fork(execution_id uuid, from_key text, version integer DEFAULT NULL::integer, new_id uuid DEFAULT durable.new_id(), kept_below bigint DEFAULT NULL::bigint, edits json DEFAULT NULL::json, OUT id uuid, OUT queue text)
--     returns record, volatile

-- function durable.hold_families(execution_ids uuid[], wait boolean)
--     returns uuid[], volatile

-- function durable.judge_firings(schedules text[], at timestamp with time zone)
--     returns void, volatile

-- function durable.keep_histories(accepted uuid[], recorded text[], execution_ids uuid[], keys text[], names text[], contents text[], metadata text[], revisions integer[], set_ats timestamp with time zone[], kept integer[])
--     returns void, volatile

-- function durable.keys_in_turn(settings durable.queues, at timestamp with time zone, room integer, starts_left integer, workflows text[], labels text[], key_limits integer[])
--     returns TABLE(place integer, workflow text, key text, may_run integer, may_start integer, retry_at timestamp with time zone), volatile

-- function durable.lock_families(execution_ids uuid[], wait boolean)
--     returns uuid[], volatile

-- function durable.lock_mailbox(execution_id uuid)
--     returns void, volatile

-- function durable.lost_holders()
--     returns SETOF uuid, stable

-- function durable.match_messages(held uuid[], at timestamp with time zone)
--     returns void, volatile

-- function durable.new_id()
--     returns uuid, volatile

-- function durable.notify_parents(child_ids uuid[])
--     returns TABLE(child_id uuid, outcome text, parent_id uuid, woken_queue text), volatile

-- function durable.now()
--     returns timestamp with time zone, volatile

-- function durable.open_names(execution_id uuid, kind text)
--     returns text[], stable

-- function durable.park(worker_id uuid, execution_ids uuid[], epochs integer[], wake_ats timestamp with time zone[], stays boolean[], open_counts integer[], wait_execution_ids uuid[], wait_keys text[], wait_kinds text[], wait_names text[], wait_delays double precision[], wait_due_ats timestamp with time zone[], wait_prompts text[], wait_schemas text[], wait_details text[], dropped_execution_ids uuid[], dropped_keys text[], refused_execution_ids uuid[], refused_keys text[], refused_message_ids uuid[], refused_reasons text[], watched_execution_ids uuid[], watched_keys text[])
--     returns TABLE(execution_id uuid, outcome text, resolved json, wake_at timestamp with time zone), volatile

-- function durable.pause(execution_id uuid)
--     returns timestamp with time zone, volatile

-- function durable.pause_queue(queue text)
--     returns void, volatile

-- function durable.poison(worker_id uuid, execution_id uuid, epoch integer, reason json)
--     returns TABLE(id uuid, state text, queue text, awaited_by uuid), volatile

-- function durable.provide_input(execution_id uuid, name text, value json, message_id uuid DEFAULT gen_random_uuid(), answered_by text DEFAULT NULL::text, OUT outcome text, OUT woken_queue text, OUT open_names text[])
--     returns record, volatile

-- function durable.publish(topic text, payload json DEFAULT 'null'::json, correlation text DEFAULT NULL::text, key text DEFAULT NULL::text, OUT reached integer, OUT more boolean, OUT woken_queues text[], OUT running uuid[])
--     returns record, volatile

-- function durable.rank(begins_at timestamp with time zone, priority smallint)
--     returns timestamp with time zone, stable

-- function durable.redate_starts(queue text, counted_at timestamp with time zone)
--     returns void, volatile

-- function durable.refuse_messages(held uuid[], execution_ids uuid[], keys text[], message_ids uuid[], reasons text[], at timestamp with time zone)
--     returns void, volatile

-- function durable.reopen_waits(execution_ids uuid[], keys text[])
--     returns void, volatile

-- function durable.resolve_waits(execution_ids uuid[], keys text[], outcome text, at timestamp with time zone, payloads json[] DEFAULT NULL::json[], names text[] DEFAULT NULL::text[], message_ids uuid[] DEFAULT NULL::uuid[], arrivals bigint[] DEFAULT NULL::bigint[], senders text[] DEFAULT NULL::text[])
--     returns TABLE(execution_id uuid, key text, child_id uuid), volatile

-- function durable.resume(execution_id uuid)
--     returns text, volatile

-- function durable.resume_queue(queue text)
--     returns void, volatile

-- function durable.retry(execution_id uuid, version integer DEFAULT NULL::integer, new_id uuid DEFAULT durable.new_id(), repeated text[] DEFAULT NULL::text[], edits json DEFAULT NULL::json, unless_continued boolean DEFAULT false, give_back boolean DEFAULT false, OUT id uuid, OUT queue text)
--     returns record, volatile

-- function durable.roll_back_families(execution_ids uuid[], failure json, wait boolean)
--     returns TABLE(id uuid, state text, queue text, awaited_by uuid), volatile

-- function durable.rollback(execution_id uuid, reason text DEFAULT 'rolled back by request'::text)
--     returns TABLE(id uuid, state text, queue text, awaited_by uuid), volatile

-- function durable.same_input(one json, other json)
--     returns boolean, immutable

-- function durable.schema_mismatch(schema jsonb, value jsonb, path text, levels integer)
--     returns text, immutable

-- function durable.send_change(execution_id uuid, change json, message_id uuid, sent_by text DEFAULT NULL::text, is_judged boolean DEFAULT false, OUT outcome text, OUT woken_queue text)
--     returns record, volatile

-- function durable.send_event(execution_id uuid, name text, payload json DEFAULT 'null'::json, message_id uuid DEFAULT gen_random_uuid(), OUT outcome text, OUT woken_queue text, OUT open_names text[])
--     returns record, volatile

-- function durable.set_inputs(execution_id uuid, inputs json DEFAULT NULL::json, unset text[] DEFAULT NULL::text[], metadata json DEFAULT NULL::json, message_id uuid DEFAULT gen_random_uuid(), OUT outcome text, OUT woken_queue text)
--     returns record, volatile

-- function durable.set_queue_limits(queue text, concurrency integer DEFAULT NULL::integer, rate integer DEFAULT NULL::integer, rate_period interval DEFAULT NULL::interval, key_rate integer DEFAULT NULL::integer, key_rate_period interval DEFAULT NULL::interval)
--     returns void, volatile

-- function durable.start(workflow text, input json DEFAULT 'null'::json, key text DEFAULT NULL::text, queue text DEFAULT 'default'::text, priority integer DEFAULT 0, start_at timestamp with time zone DEFAULT NULL::timestamp with time zone, delay interval DEFAULT NULL::interval, version integer DEFAULT 1, concurrency_key text DEFAULT NULL::text, deduplication_key text DEFAULT NULL::text, debounce_key text DEFAULT NULL::text, debounce interval DEFAULT NULL::interval, debounce_at_most interval DEFAULT NULL::interval, time_to_live interval DEFAULT NULL::interval, trace_context text DEFAULT NULL::text, tags json DEFAULT NULL::json)
--     returns uuid, volatile

-- function durable.start_children(held uuid[], parent_ids uuid[], parent_keys text[], kinds text[], details text[], at timestamp with time zone)
--     returns void, volatile

-- function durable.start_firings(names text[], due_names text[], due_ats timestamp with time zone[], start_ats timestamp with time zone[], cause text, at timestamp with time zone, input json DEFAULT NULL::json)
--     returns SETOF durable.schedule_firings, volatile

-- function durable.still_needed(execution_ids uuid[], ended_before timestamp with time zone)
--     returns SETOF uuid, stable

-- function durable.tags_with(execution_id uuid, others json)
--     returns json, stable

-- function durable.take_over(origin uuid, new_id uuid, version integer, until bigint, left_out text[], edits json, give_back boolean, OUT id uuid, OUT queue text)
--     returns record, volatile

-- function durable.trigger_schedule(schedule text, input json DEFAULT NULL::json)
--     returns uuid, volatile

-- function durable.try_lock_mailbox(execution_id uuid)
--     returns boolean, volatile

-- function durable.unarchive(execution_id uuid)
--     returns void, volatile

-- function durable.undoable(execution_id uuid)
--     returns boolean, stable

-- function durable.update_input(execution_id uuid, input text, deadline timestamp with time zone DEFAULT NULL::timestamp with time zone, assignee text DEFAULT NULL::text, OUT key text, OUT due_at timestamp with time zone, OUT was_due_at timestamp with time zone, OUT now_assigned_to text, OUT was_assigned_to text)
--     returns record, volatile

-- function durable.wake_for_message(execution_id uuid)
--     returns text, volatile
