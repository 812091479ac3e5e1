-- refuse_messages: reopen the waits whose messages the workflow cannot read, and record why. Deadlines do not change. A close stays
-- over, without those of its messages that are refused. The caller holds lock_mailbox of the executions in `held`. The newest 20
-- refusals of an execution are kept.
create or replace function durable.refuse_messages(
    held uuid[], execution_ids uuid[], keys text[], message_ids uuid[], reasons text[], at timestamptz
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with given as materialized (
        select *
        from unnest($2, $3, $4, $5) with ordinality as given (execution_id, key, message_id, reason, nth)
    ),
    closed as materialized (
        select
            waits.execution_id, waits.key, waits.name, waits.payload -> 'more' as more,
            message.value, message.nth, (message.value ->> 'id')::uuid as message_id
        from durable.waits
        cross join lateral json_array_elements(waits.payload -> 'messages') with ordinality as message (value, nth)
        where waits.execution_id = any ($1)
          and (waits.execution_id, waits.key) in (select given.execution_id, given.key from given)
          and waits.kind = 'close'
          and waits.outcome = 'received'
    ),
    refused as materialized (
        select
            waits.execution_id, waits.key, waits.kind, waits.message_id, waits.answered_by, given.reason, given.nth,
            case when waits.names is null then waits.name else waits.payload ->> 'name' end as name,
            case when waits.names is null then waits.payload else waits.payload -> 'payload' end as payload,
            false as is_of_close
        from given
        join durable.waits on waits.execution_id = given.execution_id and waits.key = given.key
        where waits.execution_id = any ($1)
          and waits.outcome = 'received'
          and waits.kind in ('event', 'input', 'topic')
          -- The wait may have been reopened before, and may have received another message.
          and waits.message_id = given.message_id
        union all
        select
            closed.execution_id, closed.key, 'event', closed.message_id, closed.value ->> 'by', given.reason, given.nth,
            closed.name, closed.value -> 'payload', true
        from given
        join closed using (execution_id, key, message_id)
    ),
    newest as materialized (
        select *
        from (
            select refused.*, row_number() over (partition by refused.execution_id order by refused.nth desc) as place
            from refused
        ) as ordered
        where ordered.place <= 20
    ),
    recorded as (
        insert into durable.refusals (
            execution_id, refused_at, message_id, key, kind, name, reason, payload, sent_by
        )
        select
            newest.execution_id, $6, newest.message_id, newest.key, newest.kind, newest.name, newest.reason, newest.payload,
            newest.answered_by
        from newest
        on conflict do nothing
    ),
    kept as (
        delete from durable.refusals
        where (refusals.execution_id, refusals.key, refusals.message_id) in (
            select old.execution_id, old.key, old.message_id
            from (
                select refusals.execution_id, refusals.key, refusals.message_id,
                    row_number() over (partition by refusals.execution_id order by refusals.refused_at desc) as nth
                from durable.refusals
                where refusals.execution_id = any (array(select newest.execution_id from newest))
            ) as old
            -- Those that are recorded now come on top.
            where old.nth + (select count(*) from newest where newest.execution_id = old.execution_id) > 20
          )
    ),
    shortened as (
        update durable.waits
        set payload = json_build_object('messages', rest.messages, 'more', rest.more)
        from (
            select
                closed.execution_id, closed.key, (array_agg(closed.more)) [1] as more,
                coalesce(json_agg(closed.value order by closed.nth) filter (where refused.message_id is null), '[]') as messages
            from closed
            left join refused using (execution_id, key, message_id)
            group by closed.execution_id, closed.key
        ) as rest
        where waits.execution_id = any ($1)
          and waits.execution_id = rest.execution_id
          and waits.key = rest.key
    )
    select durable.reopen_waits(array_agg(refused.execution_id), array_agg(refused.key))
    from refused
    where not refused.is_of_close
$$;
