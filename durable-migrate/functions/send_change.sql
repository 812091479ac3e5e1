-- send_change: give a change to a graph, or keep it until the graph waits for the next one; once for each message id. The worker applies
-- changes in the order of their arrival, and refuses a change that does not fit: see `durable.refusals`. `set_inputs` and `complete`
-- call this. Unless the code of the graph has judged the change (`is_judged`), inputs that the graph does not have are refused here.
drop function if exists durable.send_change(uuid, json, uuid, text);
create or replace function durable.send_change(
    execution_id uuid,
    change json,
    message_id uuid,
    sent_by text default null,
    is_judged boolean default false,
    out outcome text,
    out woken_queue text
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
begin
    -- Only a message with an id can be refused later: see refuse_messages.
    message_id := coalesce(send_change.message_id, gen_random_uuid());
    perform durable.check_payload('the change', send_change.change::text);
    if octet_length(sent_by) > 1000 then
        raise exception 'the name of who made the change has over 1000 bytes'
        using errcode = 'UD422', hint = 'give a short name or an address';
    end if;
    perform durable.lock_mailbox(send_change.execution_id);

    select workflow, version, state, deadline_at, rollback into target
    from durable.executions
    where execution_id = send_change.execution_id;
    if target is null then
        raise exception 'there is no execution %', send_change.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if durable.delivered_before(send_change.execution_id, send_change.message_id) then
        outcome := 'repeated';
        return;
    end if;
    if target.state not in ('pending', 'running', 'waiting') then
        raise exception 'execution % is already %: the change came too late', send_change.execution_id, target.state
        using errcode = 'UD410', hint = 'start a new execution with the inputs';
    end if;
    if target.rollback is not null then
        raise exception 'execution % is rolled back: the change came too late', send_change.execution_id
        using errcode = 'UD410', hint = 'start a new execution with the inputs';
    end if;
    if target.deadline_at <= durable.now() then
        raise exception 'the time of execution % was over at %: the change came too late',
            send_change.execution_id, target.deadline_at
        using errcode = 'UD410', hint = 'start a new execution with the inputs';
    end if;
    if not send_change.is_judged then
        perform durable.check_inputs(
            format('execution %s is not changed', send_change.execution_id), target.workflow, target.version,
            array(
                select json_object_keys(change -> 'set')
                union all
                select json_array_elements_text(change -> 'unset')
            )
        );
    end if;
    -- The graph has taken its last change, and completes: what came now would never be read.
    if exists (
        select from durable.waits
        where execution_id = send_change.execution_id
          and kind = 'event'
          and name = 'set_inputs'
          and waits.outcome = 'timed_out'
    ) then
        raise exception 'execution % is completing: the change came too late', send_change.execution_id
        using errcode = 'UD410', hint = 'start a new execution with the inputs';
    end if;

    outcome := durable.deliver(
        send_change.execution_id, 'event', 'set_inputs', send_change.change, send_change.message_id, send_change.sent_by
    );
    if outcome = 'delivered' then
        woken_queue := durable.wake_for_message(send_change.execution_id);
    end if;
end
$$;
