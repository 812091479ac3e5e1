-- provide_input: answer the open input of this name, or keep the answer until the input is asked for; or set the input of a graph, as
-- `set_inputs` does: then it is `accepted` if the graph first applies changes that came earlier. The outcome is `delivered`,
-- `repeated`, or `kept`: then no open input has this name, and `open_names` has the names of the open inputs. A short answer is checked
-- here in part. The worker checks it in full, and asks again if it does not fit: see `durable.refusals`.
create or replace function durable.provide_input(
    execution_id uuid,
    name text,
    value json,
    message_id uuid default gen_random_uuid(),
    answered_by text default null,
    out outcome text,
    out woken_queue text,
    out open_names text[]
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
    asked record;
    mismatch text;
begin
    if provide_input.name is null or provide_input.name = '' then
        raise exception 'an input without a name' using errcode = 'UD422', hint = 'list the open ones: select * from durable.waits where kind = ''input'' and outcome is null';
    end if;
    perform durable.check_name('the name of an input', provide_input.name);
    value := coalesce(provide_input.value, 'null');
    -- Only a message with an id can be refused later: see refuse_messages.
    message_id := coalesce(provide_input.message_id, gen_random_uuid());
    perform durable.check_payload(format('input `%s`', provide_input.name), provide_input.value::text);
    if octet_length(provide_input.answered_by) > 1000 then
        raise exception 'the name of who answered input `%` has over 1000 bytes', provide_input.name
        using errcode = 'UD422', hint = 'give a short name or an address';
    end if;
    if exists (
        select
        from durable.executions
        join durable.workflow_graphs using (workflow, version)
        cross join lateral json_to_recordset(graph -> 'nodes') as node (name text, kind text, was jsonb)
        where execution_id = provide_input.execution_id
          and graph ->> 'form' = 'graph'
          and kind in ('input', 'step')
          and (node.name = provide_input.name or node.was ? provide_input.name)
    ) then
        select case sent.outcome when 'kept' then 'accepted' else sent.outcome end, sent.woken_queue into outcome, woken_queue
        from durable.send_change(
            provide_input.execution_id,
            -- As text: rebuilding the value would lose the digits of numbers.
            format('{"set": {%s: %s}}', to_json(provide_input.name), provide_input.value)::json,
            provide_input.message_id, provide_input.answered_by
        ) as sent;
        return;
    end if;
    perform durable.lock_mailbox(provide_input.execution_id);

    select state, deadline_at, rollback into target
    from durable.executions
    where execution_id = provide_input.execution_id;
    if target is null then
        raise exception 'there is no execution %', provide_input.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if durable.delivered_before(provide_input.execution_id, provide_input.message_id) then
        outcome := 'repeated';
        return;
    end if;
    if target.state not in ('pending', 'running', 'waiting') then
        raise exception 'execution % is already %: input `%` came too late', provide_input.execution_id, target.state, provide_input.name
        using errcode = 'UD410';
    end if;
    if target.rollback is null and target.deadline_at <= durable.now() then
        raise exception 'the time of execution % was over at %: input `%` came too late',
            provide_input.execution_id, target.deadline_at, provide_input.name
        using errcode = 'UD410';
    end if;

    -- If several inputs of the name are open, the answer goes to the oldest.
    select schema, waits.outcome as decided, due_at <= durable.now() as overdue, due_at into asked
    from durable.waits
    where execution_id = provide_input.execution_id and kind = 'input' and waits.name = provide_input.name
    order by waits.outcome is null desc, (due_at <= durable.now()) is true, resolved_ordinal desc, ordinal
    limit 1;
    if asked.decided is not null then
        raise exception 'input `%` of execution % is decided already (%)', provide_input.name, provide_input.execution_id, asked.decided
        using errcode = 'UD409', hint = 'nothing asks for it now';
    end if;
    if asked.overdue then
        raise exception 'the deadline of input `%` of execution % has passed (%)',
            provide_input.name, provide_input.execution_id, asked.due_at
        using errcode = 'UD409', hint = 'the workflow goes on without an answer';
    end if;
    if exists (
        select from durable.mailbox
        where execution_id = provide_input.execution_id and kind = 'input' and mailbox.name = provide_input.name
    ) then
        raise exception 'input `%` of execution % was given already', provide_input.name, provide_input.execution_id
        using errcode = 'UD409', hint = 'it waits in the mailbox until the workflow asks for it';
    end if;
    if octet_length(provide_input.value::text) <= 16384 and octet_length(asked.schema::text) <= 65536 then
        begin
            mismatch := durable.schema_mismatch(asked.schema::jsonb, provide_input.value::jsonb, 'value', 2);
        exception when data_exception then
            -- The worker checks what jsonb cannot hold.
            mismatch := null;
        end;
    end if;
    if mismatch is not null then
        raise exception 'input `%` of execution % does not fit: %', provide_input.name, provide_input.execution_id, mismatch
        using errcode = 'UD422', hint = 'the wait stands; answer again with a value that fits its schema';
    end if;

    outcome := durable.deliver(
        provide_input.execution_id, 'input', provide_input.name, provide_input.value, provide_input.message_id, provide_input.answered_by
    );
    if outcome = 'delivered' then
        woken_queue := durable.wake_for_message(provide_input.execution_id);
    else
        open_names := durable.open_names(provide_input.execution_id, 'input');
    end if;
end
$$;
