-- resolve_waits: end open waits, and return those that this call has ended. The caller holds lock_mailbox of the executions.
-- Four statements that every execution needs end waits themselves, because a call would cost more than the update:
-- `executions/save`, `executions/wake`, `deliver` and `match_messages`. Nothing else ends waits. Without `keys`, all open waits end.
-- The outcome is `received`, `cancelled` or `closed`. Null means that the time is over: `elapsed` for a sleep, `timed_out` for every other wait.
create or replace function durable.resolve_waits(
    execution_ids uuid[],
    keys text[],
    outcome text,
    at timestamptz,
    -- The received messages: payload (one for each wait, or one for all waits), name, id, place in the mailbox, sender.
    payloads json[] default null,
    names text[] default null,
    message_ids uuid[] default null,
    arrivals bigint[] default null,
    senders text[] default null
) returns table (execution_id uuid, key text, child_id uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if keys is null then
        return query
        update durable.waits as waiting
        set outcome = coalesce(resolve_waits.outcome, case waiting.kind when 'sleep' then 'elapsed' else 'timed_out' end),
            resolved_at = resolve_waits.at,
            resolved_ordinal = nextval('durable.journal_ordinals')
        where waiting.execution_id = any (execution_ids) and waiting.outcome is null
        returning waiting.execution_id, waiting.key, waiting.child_id;
        return;
    end if;
    -- One by one: usually there is one wait, for which unnesting the arrays would cost more than the update.
    for i in 1 .. cardinality(keys) loop
        update durable.waits as waiting
        set outcome = coalesce(resolve_waits.outcome, case waiting.kind when 'sleep' then 'elapsed' else 'timed_out' end),
            resolved_at = resolve_waits.at,
            resolved_ordinal = nextval('durable.journal_ordinals'),
            payload = case
                -- A wait for any of several events also gets the name.
                when waiting.names is not null and resolve_waits.names is not null then
                    json_build_object('name', resolve_waits.names [i], 'payload', payloads [i])
                else payloads [least(i, cardinality(payloads))]
            end,
            message_id = message_ids [i],
            arrival = arrivals [i],
            answered_by = senders [i]
        where waiting.execution_id = execution_ids [i] and waiting.key = keys [i] and waiting.outcome is null
        returning waiting.execution_id, waiting.key, waiting.child_id into execution_id, key, child_id;
        if found then
            return next;
        end if;
    end loop;
end
$$;
