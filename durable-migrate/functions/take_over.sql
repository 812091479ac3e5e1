-- take_over: begin an execution with what another, which has ended, had recorded below an ordinal (null for all), except the
-- entries whose keys are left out. With `give_back`, events that the entries left out had taken are in the mailbox of the new
-- execution. What the edits give takes the place of the input and of outputs: see `check_edits`. Under the other's mailbox lock.
-- Called again with the same new id, it changes nothing.
drop function if exists durable.take_over(uuid, uuid, int, bigint, text[]);
drop function if exists durable.take_over(uuid, uuid, int, bigint, text[], json);
create or replace function durable.take_over(
    origin uuid, new_id uuid, version int, until bigint, left_out text[], edits json, give_back boolean, out id uuid, out queue text
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    source durable.executions;
    edited text[] := '{}';
    at timestamptz := durable.now();
    unknown_key text;
begin
    -- It must not be pruned meanwhile.
    select * into source
    from durable.executions
    where execution_id = origin
    for share;
    if not found then
        raise exception 'there is no execution %', origin
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if source.state = 'waiting' and source.error is not null then
        raise exception 'execution % is stopped: only what has ended can be taken over', origin
        using errcode = 'UD409', hint = 'resume it under code that fits its journal, or cancel it first';
    end if;
    if source.finished_at is null then
        raise exception 'execution % is %: only what has ended can be taken over', origin, source.state
        using errcode = 'UD409', hint = 'wait for its end, or cancel it';
    end if;
    if source.rollback is not null and source.state in ('compensated', 'compensation_failed') or source.undoes is not null then
        raise exception 'execution % is %: what it did was undone, and cannot be gone on from', origin, source.state
        using errcode = 'UD409', hint = 'start a new execution';
    end if;
    if take_over.version < 1 then
        raise exception 'there is no version %', take_over.version using errcode = 'UD422', hint = 'versions start at 1';
    end if;

    if edits is not null then
        perform durable.check_edits(edits);
        edited := array(select json_object_keys(edits -> 'outputs'));
        select key into unknown_key
        from unnest(edited) as key
        where not exists (
            select from durable.checkpoints where checkpoints.execution_id = origin and checkpoints.key = key.key
            union all
            select from durable.attempts where attempts.execution_id = origin and attempts.key = key.key
        )
        limit 1;
        if found then
            raise exception 'execution % has not begun a step `%`: its output cannot be given', origin, unknown_key
            using errcode = 'UD404', hint = 'it has begun ' || coalesce((
                select string_agg(key, ', ' order by ordinal)
                from (
                    select key, min(ordinal) as ordinal
                    from (
                        select key, ordinal from durable.checkpoints where checkpoints.execution_id = origin
                        union all
                        select key, 9223372036854775807 from durable.attempts where attempts.execution_id = origin
                    ) as entry
                    group by key
                    order by min(ordinal)
                    limit 20
                ) as step
            ), 'none');
        end if;
    end if;

    id := new_id;
    queue := source.queue;
    perform durable.create_executions(
        array[new_id],
        array[source.workflow],
        array[coalesce(take_over.version, source.version)],
        array[source.queue],
        array[source.priority],
        null,
        array[coalesce((edits -> 'input')::text, source.continued_with::text, source.input::text)],
        null,
        null,
        concurrency_keys => array[source.concurrency_key],
        deduplication_keys => array[source.deduplication_key],
        trace_contexts => array[source.trace_context],
        -- Its workflow has read the due time, and must read the same again.
        schedules => array[source.schedule],
        scheduled_fors => array[source.scheduled_for],
        only_new => true,
        forked_froms => array[origin],
        -- It has the same UUIDs, and the same idempotency keys.
        namespaces => array[coalesce(source.namespace, origin)],
        step_keys => array[source.step_key],
        owner_ids => array[source.owner_id],
        owner_namespaces => array[source.owner_namespace],
        undo_on_failures => array[source.undo_on_failure],
        tags => array[durable.tags_with(origin, null)::text]
    );
    if not found then
        if exists (select from durable.executions where execution_id = new_id and forked_from = origin) then
            return;
        end if;
        select execution_id into id
        from durable.executions
        where workflow = source.workflow
          and deduplication_key = source.deduplication_key
          and finished_at is null;
        if found then
            raise exception 'execution % has the deduplication key `%`, too, and has not ended', id, source.deduplication_key
            using errcode = 'UD409', hint = 'wait for its end, or cancel it';
        end if;
        raise exception 'there is an execution % already', new_id
        using errcode = 'UD409', hint = 'give an id that no execution has, or none';
    end if;

    insert into durable.checkpoints (
        execution_id, digest, started_at, finished_at, attempt, key, output, error, ordinal, undo_order
    )
    select new_id, digest, started_at, finished_at, attempt, key, output, error, ordinal,
        -- The steps of a completed execution are not undone by its fork.
        case when source.state <> 'completed' then undo_order end
    from durable.checkpoints
    where execution_id = origin
      and (ordinal < until) is not false
      and key <> all (left_out)
      and key <> all (edited)
      -- Only a rollback reads those of children, which have a wait under the same key.
      and (
        source.state <> 'completed'
        or not exists (select from durable.waits where waits.execution_id = origin and waits.key = checkpoints.key and kind = 'child')
      );

    if edits is not null then
        -- An output that was recorded and is kept is replaced in its place; any other is recorded now.
        insert into durable.checkpoints (
            execution_id, digest, started_at, finished_at, attempt, key, output, ordinal, undo_order
        )
        select
            new_id, recorded.digest, coalesce(recorded.started_at, at), coalesce(recorded.finished_at, at),
            coalesce(recorded.attempt, 1), edit.key, edit.value,
            case when recorded.is_kept then recorded.ordinal else nextval('durable.journal_ordinals') end,
            -- What a person did in the place of the step is not the engine's to undo.
            case when recorded.is_kept and source.state <> 'completed' then recorded.undo_order end
        from json_each(edits -> 'outputs') as edit
        left join lateral (
            select *, error is null and (ordinal < until) is not false and key <> all (left_out) as is_kept
            from durable.checkpoints
            where execution_id = origin and key = edit.key
        ) as recorded on true;
    end if;
    insert into durable.journal_edits (execution_id, edited_at, key, reason, edited_by)
    select new_id, edited_at, key, reason, edited_by
    from durable.journal_edits
    where execution_id = origin
      and key <> all (edited)
      and case
          when key = '' then edits -> 'input' is null
          else exists (select from durable.checkpoints where execution_id = new_id and checkpoints.key = journal_edits.key)
      end
    union all
    select new_id, at, key, edits ->> 'reason', edits ->> 'by'
    from unnest(edited || case when edits -> 'input' is not null then '' end) as key
    where key is not null;

    -- The values that the checkpoints above have set last, and those without a checkpoint: they were set before the execution, or one
    -- that it retries, continued as new.
    insert into durable.execution_values (execution_id, set_at, revision, name, key, value, metadata, state, node)
    select new_id, set_at, revision, name, key, value, metadata, state, node
    from durable.execution_values
    where execution_id = origin
      and (
        exists (select from durable.checkpoints where execution_id = new_id and checkpoints.key = execution_values.key)
        or not exists (select from durable.checkpoints where execution_id = origin and checkpoints.key = execution_values.key)
      );

    -- A value of a later revision belongs to what runs again, and the same revision may get another value.
    insert into durable.node_history (execution_id, set_at, revision, name, value, metadata)
    select new_id, set_at, revision, name, value, metadata
    from durable.node_history
    where execution_id = origin
      and revision <= (
          select max(coalesce((node ->> 'change_revision')::int, (node ->> 'state_revision')::int, revision))
          from durable.execution_values
          where execution_id = new_id
      );

    insert into durable.waits (
        execution_id, started_at, due_at, resolved_at, message_id, key, kind, name, outcome, prompt, schema, payload,
        names, correlation, child_id, form, metadata, assignee, answered_by, digest, ordinal, resolved_ordinal
    )
    select
        new_id, started_at, due_at, resolved_at, message_id, key, kind, name, outcome, prompt, schema,
        case
            when source.state = 'completed' and kind = 'child' and payload ->> 'undoable' = 'true' then
                json_build_object(
                    'state', payload -> 'state', 'output', payload -> 'output', 'error', payload -> 'error', 'undoable', false
                )
            else payload
        end,
        names, correlation, child_id, form, metadata, assignee, answered_by, digest, ordinal, resolved_ordinal
    from durable.waits
    where execution_id = origin
      and outcome is not null
      -- Programs from before the ordinals end waits without one.
      and (coalesce(resolved_ordinal, ordinal) < until) is not false
      and key <> all (left_out);
    insert into durable.closed_events (execution_id, name)
    select distinct new_id, name
    from durable.waits
    where execution_id = new_id and kind = 'close' and outcome = 'received';

    insert into durable.mailbox (execution_id, message_id, sent_at, kind, name, payload, sent_by)
    select new_id, message_id, sent_at, kind, name, payload, sent_by
    from (
        select arrival, 0 as taken, message_id, sent_at, kind, name, payload, sent_by
        from durable.mailbox
        where execution_id = origin
        union all
        select
            -- What this execution took over itself has no place in its mailbox; it came before everything else.
            coalesce(arrival, 0), resolved_ordinal, message_id, resolved_at, kind,
            case when names is null then name else payload ->> 'name' end,
            case when names is null then payload else payload -> 'payload' end,
            answered_by
        from durable.waits
        where give_back
          and execution_id = origin
          and key = any (left_out)
          and kind = 'event'
          and outcome = 'received'
        union all
        select
            (message ->> 'arrival')::bigint, 0, (message ->> 'id')::uuid, (message ->> 'sent_at')::timestamptz, 'event',
            waits.name, message -> 'payload', message ->> 'by'
        from durable.waits
        cross join lateral json_array_elements(payload -> 'messages') as message
        where give_back
          and execution_id = origin
          and key = any (left_out)
          and kind = 'close'
          and outcome = 'received'
    ) as message
    order by arrival, taken;
end
$$;
