-- deliver: resolve the oldest open wait of this kind and name whose deadline has not passed, or put the message into the mailbox.
-- The caller holds lock_mailbox.
-- A wait for any of several events also gets the name. A message that comes back to the mailbox keeps its time of arrival.
create or replace function durable.deliver(
    execution_id uuid, kind text, name text, payload json, message_id uuid,
    sent_by text default null, arrival bigint default null
) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- A wait that is dropped returns its message to this place.
    place bigint := coalesce(deliver.arrival, nextval('durable.mailbox_arrival_seq'));
begin
    update durable.waits
    set outcome = 'received',
        payload = case
            when names is null then deliver.payload
            else json_build_object('name', deliver.name, 'payload', deliver.payload)
        end,
        message_id = deliver.message_id,
        arrival = place,
        answered_by = deliver.sent_by,
        resolved_at = durable.now(),
        resolved_ordinal = nextval('durable.journal_ordinals')
    where execution_id = deliver.execution_id
      and outcome is null
      and key = (
        select open.key
        from durable.waits as open
        where open.execution_id = deliver.execution_id
          and open.kind = deliver.kind
          and (open.name = deliver.name or deliver.name = any (open.names))
          and open.outcome is null
          and (open.due_at is null or open.due_at > durable.now())
        order by open.ordinal
        limit 1
      );
    if found then
        return 'delivered';
    end if;
    insert into durable.mailbox (execution_id, arrival, message_id, sent_at, kind, name, payload, sent_by)
    overriding system value
    values (
        deliver.execution_id, place, deliver.message_id, durable.now(),
        deliver.kind, deliver.name, deliver.payload, deliver.sent_by
    );
    return 'kept';
end
$$;
