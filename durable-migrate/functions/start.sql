-- start: create one execution, or give back the one that has the key, or the deduplication key and has not ended; the verb for
-- psql and other languages. It checks what the Rust client checks before it sends anything (`plan/start_options.rs`): the client
-- would pay a round trip to have it checked here. A test of odd values gives both the same options, and compares what they
-- accept. The function that had no `tags` is dropped: a call without them would fit both.
drop function if exists durable.start(
    text, json, text, text, int, timestamptz, interval, int, text, text, text, interval, interval, interval, text
);
create or replace function durable.start(
    workflow text,
    input json default 'null',
    key text default null,
    queue text default 'default',
    priority int default 0,
    start_at timestamptz default null,
    delay interval default null,
    version int default 1,
    concurrency_key text default null,
    deduplication_key text default null,
    debounce_key text default null,
    debounce interval default null,
    debounce_at_most interval default null,
    time_to_live interval default null,
    trace_context text default null,
    -- An object of texts, such as {"tenant": "acme"}.
    tags json default null
) returns uuid
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    started record;
begin
    if workflow is null or workflow = '' then
        raise exception 'a start names no workflow'
        using errcode = 'UD422', hint = 'select durable.start(''process_order'', ''{"id": 42}'')';
    end if;
    if char_length(workflow) > 100 then
        raise exception 'the name of a workflow has % characters', char_length(workflow)
        using errcode = 'UD422', hint = 'give the name that the workflow has in its code: 1 to 100 characters';
    end if;
    perform durable.check_name('the name of a workflow', workflow);
    if queue is null then
        raise exception 'a start names no queue' using errcode = 'UD422', hint = 'leave `queue` out for the queue `default`';
    end if;
    perform durable.check_name('the queue of an execution', queue);
    perform durable.check_name('the key of an execution', key);
    perform durable.check_name('a concurrency key', concurrency_key);
    perform durable.check_name('the deduplication key of an execution', deduplication_key);
    perform durable.check_name('the debounce key of an execution', debounce_key);
    if version is null or version < 1 then
        raise exception 'workflow `%` has no version %', workflow, coalesce(version::text, 'null')
        using errcode = 'UD422', hint = 'versions start at 1';
    end if;
    if priority is null or priority not between -32768 and 32767 then
        raise exception 'a start with a priority of %', coalesce(priority::text, 'null')
        using errcode = 'UD422', hint = 'give -32768 to 32767; higher is claimed first, and 0 is the default';
    end if;
    if input is null then
        input := 'null';
    end if;
    perform durable.check_payload('the input', input::text);
    if delay < '0' then
        raise exception 'a start with a negative delay (%)', delay using errcode = 'UD422', hint = 'give zero or more';
    end if;
    -- Times as in `clock.rs`: nothing begins after the year 9999 or takes over a thousand years, and before 1970 is all the same.
    if start_at > '9999-12-31 23:59:59.999999+00' then
        raise exception 'a start at % would never begin', start_at
        using errcode = 'UD422', hint = 'give a time before the year 10000';
    end if;
    if start_at < 'epoch' then
        start_at := 'epoch';
    end if;
    if greatest(extract(epoch from delay), extract(epoch from debounce), extract(epoch from debounce_at_most)) > 31557600000 then
        raise exception 'a start that is put off by % would never begin', coalesce(delay, greatest(debounce, debounce_at_most))
        using errcode = 'UD422', hint = 'give a thousand years or less';
    end if;
    if (debounce_key is null) <> (debounce is null) or debounce <= '0' or debounce_at_most < debounce
        or debounce_at_most is not null and debounce is null then
        raise exception 'a start that is debounced by % under the key `%`, at most by %', debounce, debounce_key, debounce_at_most
        using errcode = 'UD422', hint = 'give a key and a period above zero, and no limit that is shorter than the period';
    end if;
    if debounce_key is not null and num_nonnulls(key, deduplication_key, start_at, delay) > 0 then
        raise exception 'a start that is debounced and has a key, a deduplication key, a time or a delay, too'
        using errcode = 'UD422', hint = 'a debounced start is replaced until it begins, and begins when its period is over';
    end if;
    if time_to_live <= '0' or extract(epoch from time_to_live) > 3155760000 then
        raise exception 'a start with a time to live of %', time_to_live
        using errcode = 'UD422', hint = 'give more than zero and at most a hundred years, or leave it out';
    end if;
    if trace_context !~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}( [ -~]+)?$' or octet_length(trace_context) > 568 then
        raise exception 'a trace context that is none: `%`', left(trace_context, 100)
        using errcode = 'UD422', hint = 'give the header traceparent, then a space and tracestate where there is one';
    end if;
    tags := durable.check_tags(tags);
    if json_typeof(input) = 'object' and exists (
        select
        from durable.workflow_graphs as kept
        where kept.workflow = start.workflow and kept.version = start.version and kept.graph ->> 'form' = 'graph'
    ) then
        perform durable.check_inputs(
            format('workflow `%s` is not started', workflow), workflow, version, array(select json_object_keys(input))
        );
    end if;
    select * into strict started
    from durable.create_executions(
        array[durable.new_id()], array[workflow], array[version], array[queue], array[priority::smallint],
        array[key], array[input::text], array[start_at], array[extract(epoch from coalesce(debounce, delay))::float8],
        concurrency_keys => array[concurrency_key], deduplication_keys => array[deduplication_key],
        debounce_keys => array[debounce_key], debounce_limits => array[extract(epoch from debounce_at_most)::float8],
        time_to_lives => array[extract(epoch from time_to_live)::float8],
        trace_contexts => array[trace_context], tags => case when tags is not null then array[tags::text] end
    );
    return started.execution_id;
end
$$;
