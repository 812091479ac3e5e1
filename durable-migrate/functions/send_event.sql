-- send_event: give an event to the wait for this name, or keep it in the mailbox until a wait begins; once for each message id.
-- The outcome is `delivered`, `repeated`, or `kept`: then no open wait has this name, and `open_names` has the names of the open events.
-- An event that the execution has closed is refused: see `close_events`.
create or replace function durable.send_event(
    execution_id uuid,
    name text,
    payload json default 'null',
    message_id uuid default gen_random_uuid(),
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
    is_closed boolean;
begin
    if send_event.name is null or send_event.name = '' then
        raise exception 'an event without a name' using errcode = 'UD422', hint = 'give the name that the workflow waits for';
    end if;
    perform durable.check_name('the name of an event', send_event.name);
    payload := coalesce(send_event.payload, 'null');
    -- Only a message with an id can be refused later: see refuse_messages.
    message_id := coalesce(send_event.message_id, gen_random_uuid());
    perform durable.check_payload(format('event `%s`', send_event.name), send_event.payload::text);
    perform durable.lock_mailbox(send_event.execution_id);

    select state, queue, deadline_at, rollback into target
    from durable.executions
    where execution_id = send_event.execution_id;
    if target is null then
        raise exception 'there is no execution %', send_event.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if durable.delivered_before(send_event.execution_id, send_event.message_id) then
        outcome := 'repeated';
        return;
    end if;
    if target.state not in ('pending', 'running', 'waiting') then
        raise exception 'execution % is already %: event `%` came too late', send_event.execution_id, target.state, send_event.name
        using errcode = 'UD410';
    end if;
    if target.rollback is null and target.deadline_at <= durable.now() then
        raise exception 'the time of execution % was over at %: event `%` came too late',
            send_event.execution_id, target.deadline_at, send_event.name
        using errcode = 'UD410';
    end if;
    is_closed := exists (
        select from durable.closed_events
        where closed_events.execution_id = send_event.execution_id and closed_events.name = send_event.name
    );
    if not is_closed and current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
        -- The snapshot of this transaction may be older than the close. The key shows what the snapshot does not.
        begin
            insert into durable.closed_events (execution_id, name) values (send_event.execution_id, send_event.name);
            delete from durable.closed_events
            where closed_events.execution_id = send_event.execution_id and closed_events.name = send_event.name;
        exception when unique_violation then
            is_closed := true;
        end;
    end if;
    if is_closed then
        raise exception 'execution % takes no more events `%`: its workflow has closed them', send_event.execution_id, send_event.name
        using errcode = 'UD411', hint = 'what was sent before was taken; start another execution for what comes now';
    end if;

    outcome := durable.deliver(send_event.execution_id, 'event', send_event.name, send_event.payload, send_event.message_id);
    if outcome = 'delivered' then
        woken_queue := durable.wake_for_message(send_event.execution_id);
        return;
    end if;

    -- The database's clock ends a wait, even if no worker has noticed yet.
    perform durable.resolve_waits(array_agg(waits.execution_id), array_agg(waits.key), null, durable.now())
    from durable.waits
    where waits.execution_id = send_event.execution_id
      and kind = 'event'
      and (waits.name = send_event.name or send_event.name = any (names))
      and waits.outcome is null
      and due_at <= durable.now()
    having count(*) > 0;
    if found then
        woken_queue := durable.wake_for_message(send_event.execution_id);
    end if;
    open_names := durable.open_names(send_event.execution_id, 'event');
end
$$;
