-- close_events: close the events for which executions have registered a `close`, and end what waits for events that are closed.
-- From then on, `send_event` refuses these events. A close ends with the messages that no wait has taken, the oldest first, as
-- {"messages": […], "more": false}; if they are many or large, with a part of them, and `more` is true. The caller holds
-- lock_mailbox of the executions in `held`, and has called match_messages.
create or replace function durable.close_events(held uuid[], at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- Of one part. A larger message is a part of its own.
    most_messages constant int := 10000;
    most_bytes constant int := 4194304;
    closing record;
    message record;
    arrivals bigint[];
    bytes bigint;
    more boolean;
    taken json;
begin
    for closing in
        select waits.execution_id, waits.key, waits.name
        from durable.waits
        where waits.execution_id = any (held) and waits.kind = 'close' and waits.outcome is null
        order by waits.execution_id, waits.ordinal
    loop
        insert into durable.closed_events (execution_id, name)
        values (closing.execution_id, closing.name)
        on conflict do nothing;

        arrivals := '{}';
        bytes := 0;
        more := false;
        for message in
            select mailbox.arrival, octet_length(mailbox.payload::text) as length
            from durable.mailbox
            where mailbox.execution_id = closing.execution_id and mailbox.kind = 'event' and mailbox.name = closing.name
            order by mailbox.arrival
        loop
            bytes := bytes + message.length;
            more := arrivals <> '{}' and (bytes > most_bytes or cardinality(arrivals) >= most_messages);
            exit when more;
            arrivals := arrivals || message.arrival;
        end loop;
        with part as (
            delete from durable.mailbox
            where mailbox.execution_id = closing.execution_id and mailbox.arrival = any (arrivals)
            returning mailbox.*
        ),
        -- A sender that lost the answer may send a message again.
        remembered as (
            insert into durable.past_messages (execution_id, message_id, forgotten_at)
            select part.execution_id, part.message_id, close_events.at
            from part
            on conflict do nothing
        )
        select json_build_object(
            'messages',
            coalesce(
                json_agg(json_build_object(
                    'id', part.message_id, 'arrival', part.arrival, 'sent_at', part.sent_at, 'by', part.sent_by, 'payload', part.payload
                ) order by part.arrival),
                '[]'
            ),
            'more', more
        ) into taken
        from part;
        perform durable.resolve_waits(
            array[closing.execution_id], array[closing.key], 'received', close_events.at, array[taken]
        );
    end loop;

    -- A wait whose deadline has passed is left to its timeout.
    perform durable.resolve_waits(array_agg(waits.execution_id), array_agg(waits.key), 'closed', close_events.at)
    from durable.waits
    where waits.execution_id = any (held)
      and waits.kind = 'event'
      and waits.outcome is null
      and (waits.due_at is null or waits.due_at > close_events.at)
      and not exists (
        select from unnest(coalesce(waits.names, array[waits.name])) as awaited (name)
        where not exists (
            select from durable.closed_events
            where closed_events.execution_id = waits.execution_id and closed_events.name = awaited.name
        )
      )
    having count(*) > 0;
end
$$;
