-- resolve_waits: end open waits, and say which of them it ended: a wait has one winner. Under lock_mailbox of the executions.
-- Four statements on the path of every worker and event end waits themselves, because a call would cost more than what it does:
-- `executions/save`, `executions/wake`, `deliver` and `match_messages`. Nothing else does. Without `keys`, all open waits end.
-- The outcome is `received` or `cancelled`; null says that the time is over: `elapsed` for a sleep, `timed_out` for every other wait.
create or replace function durable.resolve_waits(
    execution_ids uuid[],
    keys text[],
    outcome text,
    at timestamptz,
    -- The messages that are received: payload (one for each wait, or one for all of them), name, id, place in the mailbox, sender.
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
    -- One by one: mostly there is one, for which taking the arrays apart would cost more than the update.
    for i in 1 .. cardinality(keys) loop
        update durable.waits as waiting
        set outcome = coalesce(resolve_waits.outcome, case waiting.kind when 'sleep' then 'elapsed' else 'timed_out' end),
            resolved_at = resolve_waits.at,
            resolved_ordinal = nextval('durable.journal_ordinals'),
            payload = case
                -- A wait for any of several events is given the name, too.
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
