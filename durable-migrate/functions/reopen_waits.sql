-- reopen_waits: reopen waits that have received a message, as if the message had not come. Deadlines do not change.
-- The caller holds lock_mailbox of the executions.
create or replace function durable.reopen_waits(execution_ids uuid[], keys text[]) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update durable.waits
    set outcome = null, resolved_at = null, resolved_ordinal = null, payload = null, message_id = null, arrival = null, answered_by = null
    from unnest($1, $2) as received (execution_id, key)
    where waits.execution_id = any ($1)
      and waits.execution_id = received.execution_id
      and waits.key = received.key
$$;
