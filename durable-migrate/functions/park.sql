-- park: register what executions wait for; those that nothing has answered yet give back their slot and lease, unless they
-- stay. One row an item: `parked` (or it stays), `resolved` (go on at once with these waits), `busy` (a message is on its way:
-- ask again) or `lost`. If the execution names the waits that it believes open (`watched_keys`), only those are returned;
-- otherwise the waits that ended since it last rested.
create or replace function durable.park(
    worker_id uuid,
    execution_ids uuid[],
    epochs int[],
    wake_ats timestamptz[],
    stays boolean[],
    open_counts int[],
    wait_execution_ids uuid[],
    wait_keys text[],
    wait_kinds text[],
    wait_names text[],
    wait_delays float8[],
    wait_due_ats timestamptz[],
    wait_prompts text[],
    wait_schemas text[],
    wait_details text[],
    dropped_execution_ids uuid[],
    dropped_keys text[],
    refused_execution_ids uuid[],
    refused_keys text[],
    refused_message_ids uuid[],
    refused_reasons text[],
    watched_execution_ids uuid[],
    watched_keys text[]
) returns table (execution_id uuid, outcome text, resolved json, wake_at timestamptz)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    at timestamptz;
    locked uuid[];
    held uuid[];
    parked_before uuid[];
    answered uuid[];
begin
    perform from durable.workers as fence
    where fence.worker_id = park.worker_id and fence.lost_at is null
    for key share;
    if not found then
        return query select asked.execution_id, 'lost', null::json, null::timestamptz from unnest(execution_ids) as asked (execution_id);
        return;
    end if;

    select coalesce(array_agg(asked.execution_id), '{}') into locked
    from unnest(execution_ids) as asked (execution_id)
    where durable.try_lock_mailbox(asked.execution_id);

    -- Read under the locks: a wait that is due at once still takes every message that was accepted before.
    select present.at into at from durable.present;
    -- Statements from here on see what was committed before the locks were taken: no message can slip in between.
    select
        coalesce(array_agg(execution.execution_id) filter (where execution.state = 'running'), '{}'),
        coalesce(array_agg(execution.execution_id) filter (where execution.state <> 'running'), '{}')
    into held, parked_before
    from unnest(execution_ids, epochs) as asked (execution_id, epoch)
    join durable.executions as execution
        on execution.execution_id = asked.execution_id
    where execution.execution_id = any (locked)
      and execution.worker_id = park.worker_id
      and execution.epoch = asked.epoch
      and execution.state in ('running', 'waiting', 'pending');

    -- Before any wait is dropped: a message that was refused does not go back into the mailbox.
    if cardinality(refused_keys) > 0 then
        perform durable.refuse_messages(
            held, refused_execution_ids, refused_keys, refused_message_ids, refused_reasons, at
        );
    end if;

    if cardinality(dropped_keys) > 0 then
        perform durable.drop_waits(held, dropped_execution_ids, dropped_keys, at);
    end if;

    insert into durable.waits (
        execution_id, started_at, due_at, key, kind, name, prompt, schema, names, correlation, form, metadata, assignee, digest
    )
    select
        asked.execution_id, at,
        coalesce(asked.due_at, at + make_interval(secs => asked.delay)),
        asked.key, asked.kind, asked.name, asked.prompt, asked.schema::json,
        case when asked.details::jsonb ? 'names' then
            array(select jsonb_array_elements_text(asked.details::jsonb -> 'names'))
        end,
        asked.details::json ->> 'correlation',
        asked.details::json ->> 'form',
        asked.details::json -> 'metadata',
        asked.details::json ->> 'assignee',
        (asked.details::json ->> 'digest')::bigint
    from unnest(
        wait_execution_ids, wait_keys, wait_kinds, wait_names, wait_delays, wait_due_ats, wait_prompts, wait_schemas, wait_details
    ) as asked (execution_id, key, kind, name, delay, due_at, prompt, schema, details)
    where asked.execution_id = any (held)
    on conflict do nothing;

    if 'child' = any (wait_kinds) then
        perform durable.start_children(held, wait_execution_ids, wait_keys, wait_kinds, wait_details, at);
    end if;

    -- A message that came before the wait resolves it; few executions have a mailbox with anything in it.
    if exists (
        select from durable.mailbox as message where message.execution_id = any (held)
    ) then
        perform durable.match_messages(held, at);
    end if;

    if 'close' = any (wait_kinds) or exists (
        select from durable.closed_events as closed where closed.execution_id = any (held)
    ) then
        perform durable.close_events(held, at);
    end if;

    perform durable.resolve_waits(array_agg(waiting.execution_id), array_agg(waiting.key), null, at)
    from durable.waits as waiting
    where waiting.execution_id = any (held)
      and waiting.outcome is null
      and waiting.due_at <= at
    having count(*) > 0;

    -- Fewer open waits than the execution takes for open: some are over.
    with open as materialized (
        select waiting.execution_id, count(*) as waits, min(waiting.due_at) as due_at
        from durable.waits as waiting
        where waiting.execution_id = any (held) and waiting.outcome is null
        group by waiting.execution_id
    ),
    standing as materialized (
        select
            asked.execution_id, asked.stays, asked.wake_at, open.due_at,
            coalesce(open.waits, 0) < asked.open_count as answered
        from unnest(execution_ids, wake_ats, stays, open_counts) as asked (execution_id, wake_at, stays, open_count)
        left join open on open.execution_id = asked.execution_id
        where asked.execution_id = any (held)
    ),
    rested as (
        update durable.executions as execution
        set state = 'waiting',
            claims = 0,
            rested_ordinal = nextval('durable.journal_ordinals'),
            wake_at = least(standing.wake_at, standing.due_at, execution.deadline_at)
        from standing
        where execution.execution_id = any (held)
          and execution.execution_id = standing.execution_id
          and not standing.stays
          and not standing.answered
    )
    select coalesce(array_agg(standing.execution_id) filter (where standing.answered), '{}') into answered
    from standing;

    return query
    with ended as materialized (
        select waiting.*
        from unnest(watched_execution_ids, watched_keys) as watched (execution_id, key)
        join durable.waits as waiting using (execution_id, key)
        where watched.execution_id = any (answered)
          and waiting.outcome is not null
        union all
        select waiting.*
        from durable.executions as execution
        join durable.waits as waiting using (execution_id)
        where execution.execution_id = any (answered)
          and execution.execution_id <> all (watched_execution_ids)
          and waiting.outcome is not null
          and (waiting.resolved_ordinal < execution.rested_ordinal) is not true
    ),
    -- Executions whose ended waits are too large for this answer. They read them from their journals.
    large as materialized (
        select ended.execution_id
        from ended
        group by ended.execution_id
        having sum(octet_length(ended.payload::text)) > 8388608
    ),
    returned as materialized (
        select
            ended.execution_id,
            json_agg(json_build_object(
                'key', ended.key, 'outcome', ended.outcome, 'payload', ended.payload, 'child_id', ended.child_id,
                'answered_by', ended.answered_by, 'resolved_at', ended.resolved_at, 'message_id', ended.message_id
            )) as waits
        from ended
        where ended.execution_id not in (select large.execution_id from large)
        group by ended.execution_id
    )
    select
        asked.execution_id,
        case
            when asked.execution_id <> all (locked) then 'busy'
            when asked.execution_id = any (parked_before) then 'parked'
            when asked.execution_id <> all (held) then 'lost'
            when asked.execution_id = any (answered) then 'resolved'
            else 'parked'
        end,
        case
            when asked.execution_id <> all (answered) or asked.execution_id in (select large.execution_id from large) then null
            else coalesce(returned.waits, '[]')
        end,
        case when asked.stays then (
            select min(waiting.due_at)
            from durable.waits as waiting
            where waiting.execution_id = asked.execution_id
              and waiting.outcome is null
        ) else execution.wake_at end
    from unnest(execution_ids, stays) as asked (execution_id, stays)
    left join durable.executions as execution
        on execution.execution_id = any (execution_ids)
        and execution.execution_id = asked.execution_id
    left join returned on returned.execution_id = asked.execution_id;
end
$$;
