-- shown_executions: executions as people are shown them, with the state in one word. Lists, the command line and psql read this
-- view. Read it by the names of its columns: a release adds columns at the end.
create or replace view durable.shown_executions as
select
    execution_id,
    workflow,
    version,
    queue,
    priority,
    key,
    concurrency_key,
    deduplication_key,
    debounce_key,
    epoch,
    -- The words are explained at `ExecutionState` in the Rust documentation.
    case
        when finished_at is not null then
            case
                when state <> 'cancelled' or epoch > 0 then state
                -- No worker had it, so SQL wrote its error, and the operator can read that.
                when error ->> 'kind' = 'expired' then 'expired'
                else state
            end
        when state = 'waiting' and error is not null then 'stopped'
        when paused_at is not null then 'paused'
        when rollback is not null then 'compensating'
        else state
    end as state,
    input,
    output,
    error,
    rollback,
    created_at,
    started_at,
    nullif(wake_at, 'infinity') as wake_at,
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
    case when finished_at is null then paused_at end as paused_at,
    coalesce(continuations, 0) as continuations,
    continued_with,
    -- As a JSON object. To find executions by a tag, read `execution_tags`.
    (
        select json_object_agg(name, value order by name)
        from durable.execution_tags
        where execution_tags.execution_id = executions.execution_id
    ) as tags,
    archived_at
from durable.executions;
