-- drop_waits: end waits that nobody wants any more. A message that one of them has taken goes back to its place in the mailbox.
-- Under lock_mailbox of the executions in `held`.
create or replace function durable.drop_waits(
    held uuid[], execution_ids uuid[], keys text[], at timestamptz
) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with unwanted as materialized (
        select waits.execution_id, waits.key, waits.kind, waits.outcome, waits.name, waits.names, waits.payload,
            waits.message_id, waits.arrival, waits.answered_by, waits.resolved_at
        from unnest($2, $3) as dropped (execution_id, key)
        join durable.waits on waits.execution_id = dropped.execution_id and waits.key = dropped.key
        where waits.execution_id = any ($1)
          and (waits.outcome is null or waits.outcome = 'received' and waits.kind in ('event', 'input'))
    ),
    given_back as (
        insert into durable.mailbox (execution_id, arrival, message_id, sent_at, kind, name, payload, sent_by)
        overriding system value
        select
            unwanted.execution_id, unwanted.arrival, unwanted.message_id,
            -- When it came, or as near as is known: it may still be in time for another wait.
            least($4, unwanted.resolved_at), unwanted.kind,
            case when unwanted.names is null then unwanted.name else unwanted.payload ->> 'name' end,
            case when unwanted.names is null then unwanted.payload else unwanted.payload -> 'payload' end,
            unwanted.answered_by
        from unwanted
        where unwanted.outcome = 'received' and unwanted.arrival is not null
        on conflict do nothing
    )
    update durable.waits
    set outcome = 'cancelled',
        resolved_at = $4,
        resolved_ordinal = nextval('durable.journal_ordinals'),
        payload = null,
        message_id = null,
        arrival = null,
        answered_by = null
    from unwanted
    where waits.execution_id = any ($1)
      and waits.execution_id = unwanted.execution_id
      and waits.key = unwanted.key
$$;
