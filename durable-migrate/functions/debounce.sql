-- debounce: push back the execution that has a debounce key and has not begun, and give it what this start asks for; null if it
-- has begun. It is pushed back to `period` seconds from now, and to no more than `at_most` seconds after its first start.
drop function if exists durable.debounce(text, text, int, text, smallint, json, float8, float8, text, float8, text);
create or replace function durable.debounce(
    workflow text,
    debounce_key text,
    version int,
    queue text,
    priority smallint,
    input json,
    period float8,
    at_most float8,
    concurrency_key text,
    time_to_live float8,
    trace_context text,
    tags json
) returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    pushed record;
    at timestamptz;
    begins_at timestamptz;
begin
    -- One that a claim takes at this moment is waited for, and has begun then.
    select waiting.execution_id, waiting.created_at into pushed
    from durable.executions as waiting
    where waiting.workflow = debounce.workflow
      and waiting.debounce_key = debounce.debounce_key
      and waiting.state = 'pending'
      and waiting.epoch = 0
    for no key update;
    if not found then
        return null;
    end if;
    select present.at into at from durable.present;
    begins_at := least(at + make_interval(secs => period), pushed.created_at + make_interval(secs => at_most));

    update durable.executions as execution
    set version = debounce.version,
        queue = debounce.queue,
        priority = debounce.priority,
        input = debounce.input,
        concurrency_key = debounce.concurrency_key,
        -- It belongs to the trace of the start whose input it has.
        trace_context = debounce.trace_context,
        rank = durable.rank(greatest(begins_at, at), debounce.priority),
        wake_at = case
            when begins_at > at then begins_at
            when execution.paused_at is not null then 'infinity'
        end,
        expires_at = greatest(begins_at, at) + make_interval(secs => debounce.time_to_live)
    where execution.execution_id = pushed.execution_id;
    delete from durable.execution_tags
    where execution_id = pushed.execution_id;
    insert into durable.execution_tags (execution_id, name, value)
    select pushed.execution_id, tag.key, tag.value
    from json_each_text(debounce.tags) as tag;
    return pushed.execution_id;
end
$$;
