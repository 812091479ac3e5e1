-- refuse_messages: reopen the waits whose messages the workflow cannot read, and record why. Deadlines do not change.
-- The caller holds lock_mailbox of the executions in `held`. The newest 20 refusals of an execution are kept.
create or replace function durable.refuse_messages(
    held uuid[], execution_ids uuid[], keys text[], message_ids uuid[], reasons text[], at timestamptz
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with refused as materialized (
        select waits.execution_id, waits.key, waits.kind, waits.name, waits.names, waits.payload, waits.message_id,
            waits.answered_by, given.reason
        from unnest($2, $3, $4, $5) as given (execution_id, key, message_id, reason)
        join durable.waits on waits.execution_id = given.execution_id and waits.key = given.key
        where waits.execution_id = any ($1)
          and waits.outcome = 'received'
          and waits.kind in ('event', 'input', 'topic')
          -- The wait may have been reopened before, and may have received another message.
          and waits.message_id = given.message_id
    ),
    recorded as (
        insert into durable.refusals (
            execution_id, refused_at, message_id, key, kind, name, reason, payload, sent_by
        )
        select
            refused.execution_id, $6, refused.message_id, refused.key, refused.kind,
            case when refused.names is null then refused.name else refused.payload ->> 'name' end,
            refused.reason,
            case when refused.names is null then refused.payload else refused.payload -> 'payload' end,
            refused.answered_by
        from refused
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
                where refusals.execution_id = any (array(select refused.execution_id from refused))
            ) as old
            -- The refusal that is recorded now is one more.
            where old.nth > 19
          )
    )
    select durable.reopen_waits(array_agg(refused.execution_id), array_agg(refused.key))
    from refused
$$;
