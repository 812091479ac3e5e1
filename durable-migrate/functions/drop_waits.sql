-- drop_waits: end waits that the workflow has dropped. A message that such a wait has taken returns to its place in the mailbox, and
-- an event that it has closed is open again. A question with a digest is about certain values: its answer stays with it, because
-- the same question about other values is another one.
-- The caller holds lock_mailbox of the executions in `held`.
create or replace function durable.drop_waits(
    held uuid[], execution_ids uuid[], keys text[], at timestamptz
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    taken record;
begin
    with received as materialized (
        select waits.execution_id, waits.key, waits.kind, waits.name, waits.names, waits.payload, waits.message_id, waits.arrival,
            waits.answered_by, waits.resolved_at
        from unnest(execution_ids, keys) as dropped (execution_id, key)
        join durable.waits on waits.execution_id = dropped.execution_id and waits.key = dropped.key
        where waits.execution_id = any (held) and waits.outcome = 'received' and waits.kind in ('event', 'input', 'close')
          and waits.digest is null
    ),
    given_back as (
        insert into durable.mailbox (execution_id, arrival, message_id, sent_at, kind, name, payload, sent_by)
        overriding system value
        select
            received.execution_id, received.arrival, received.message_id,
            -- The time of its arrival, as exactly as it is known: the message may still be in time for another wait.
            least(drop_waits.at, received.resolved_at), received.kind,
            case when received.names is null then received.name else received.payload ->> 'name' end,
            case when received.names is null then received.payload else received.payload -> 'payload' end,
            received.answered_by
        from received
        where received.arrival is not null
        union all
        select
            received.execution_id, (message ->> 'arrival')::bigint, (message ->> 'id')::uuid, (message ->> 'sent_at')::timestamptz,
            'event', received.name, message -> 'payload', message ->> 'by'
        from received
        cross join lateral json_array_elements(received.payload -> 'messages') as message
        where received.kind = 'close'
        on conflict do nothing
    )
    select array_agg(received.execution_id) as execution_ids, array_agg(received.key) as keys into taken
    from received;
    if taken.keys is not null then
        perform durable.reopen_waits(taken.execution_ids, taken.keys);
        delete from durable.closed_events as closed
        where closed.execution_id = any (taken.execution_ids)
          and not exists (
            select from durable.waits
            where waits.execution_id = closed.execution_id
              and waits.kind = 'close'
              and waits.name = closed.name
              and waits.outcome = 'received'
          );
    end if;

    perform durable.resolve_waits(array_agg(waits.execution_id), array_agg(waits.key), 'cancelled', drop_waits.at)
    from unnest(execution_ids, keys) as dropped (execution_id, key)
    join durable.waits on waits.execution_id = dropped.execution_id and waits.key = dropped.key
    where waits.execution_id = any (held) and waits.outcome is null
    having count(*) > 0;
end
$$;
