-- match_messages: resolve open waits with messages that came before the waits. The oldest message goes to the oldest wait that it
-- fits. The caller holds lock_mailbox of the executions in `held`.
create or replace function durable.match_messages(held uuid[], at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    mixed uuid[];
    message record;
    fits text;
    satisfied uuid[] := '{}';
    matched bigint;
begin
    -- A wait for any of several names competes for the messages of each name. A wait whose deadline has passed takes only messages that
    -- came before the deadline.
    select coalesce(array_agg(distinct waiting.execution_id), '{}') into mixed
    from durable.waits as waiting
    where waiting.execution_id = any (held)
      and waiting.outcome is null
      and (waiting.names is not null or waiting.due_at <= match_messages.at);

    -- Otherwise the nth oldest message of a name goes to the nth oldest wait for that name.
    with open as materialized (
        select
            waiting.execution_id, waiting.kind, waiting.name, waiting.key,
            row_number() over (
                partition by waiting.execution_id, waiting.kind, waiting.name order by waiting.ordinal
            ) as nth
        from durable.waits as waiting
        where waiting.execution_id = any (held)
          and waiting.execution_id <> all (mixed)
          and waiting.outcome is null
          and waiting.kind in ('event', 'input')
    ),
    wanted as materialized (
        select execution_id, kind, name, count(*) as waits
        from open
        group by execution_id, kind, name
    ),
    oldest as materialized (
        select wanted.execution_id, wanted.kind, wanted.name, first.arrival, first.nth
        from wanted
        cross join lateral (
            select kept.arrival, row_number() over () as nth
            from (
                select mailbox.arrival
                from durable.mailbox
                where mailbox.execution_id = wanted.execution_id
                  and mailbox.kind = wanted.kind
                  and mailbox.name = wanted.name
                order by mailbox.arrival
                limit wanted.waits
            ) as kept
        ) as first
    ),
    pair as materialized (
        select open.execution_id, open.key, oldest.arrival
        from oldest
        join open using (execution_id, kind, name, nth)
    ),
    taken as (
        delete from durable.mailbox
        using pair
        where mailbox.execution_id = any (held)
          and mailbox.execution_id = pair.execution_id
          and mailbox.arrival = pair.arrival
        returning pair.key as wait_key, mailbox.*
    )
    update durable.waits as waiting
    set outcome = 'received',
        payload = taken.payload,
        message_id = taken.message_id,
        arrival = taken.arrival,
        answered_by = taken.sent_by,
        resolved_at = match_messages.at,
        resolved_ordinal = nextval('durable.journal_ordinals')
    from taken
    where waiting.execution_id = any (held)
      and waiting.execution_id = taken.execution_id
      and waiting.key = taken.wait_key;

    if cardinality(mixed) = 0 then
        return;
    end if;
    for message in
        select mailbox.execution_id, mailbox.arrival, mailbox.kind, mailbox.name, mailbox.sent_at
        from durable.mailbox
        where mailbox.execution_id = any (mixed)
        order by mailbox.execution_id, mailbox.arrival
    loop
        continue when message.execution_id = any (satisfied);
        select waiting.key into fits
        from durable.waits as waiting
        where waiting.execution_id = message.execution_id
          and waiting.kind = message.kind
          and waiting.outcome is null
          and (waiting.name = message.name or message.name = any (waiting.names))
          and (waiting.due_at is null or waiting.due_at > match_messages.at or waiting.due_at >= message.sent_at)
        order by waiting.ordinal
        limit 1;
        if not found then
            perform from durable.waits as waiting
            where waiting.execution_id = message.execution_id
              and waiting.kind in ('event', 'input')
              and waiting.outcome is null
            limit 1;
            if not found then
                satisfied := satisfied || message.execution_id;
            end if;
            continue;
        end if;
        with taken as (
            delete from durable.mailbox
            where mailbox.execution_id = message.execution_id
              and mailbox.arrival = message.arrival
            returning mailbox.*
        )
        select count(*) into matched
        from taken
        cross join lateral durable.resolve_waits(
            array[taken.execution_id], array[fits], 'received', match_messages.at, array[taken.payload], array[taken.name],
            array[taken.message_id], array[taken.arrival], array[taken.sent_by]
        );
    end loop;
end
$$;
