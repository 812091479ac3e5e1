-- deliver: resolve the oldest open wait of that kind and name, or put the message into the mailbox. Under lock_mailbox.
create or replace function durable.deliver(
    execution_id uuid, kind text, name text, payload json, message_id uuid
) returns text
language plpgsql volatile
as $$
#variable_conflict use_column
begin
    update durable.waits
    set outcome = 'received', payload = deliver.payload, message_id = deliver.message_id, resolved_at = durable.now()
    where shard = 0
      and execution_id = deliver.execution_id
      and outcome is null
      and key = (
        select open.key
        from durable.waits as open
        where open.shard = 0
          and open.execution_id = deliver.execution_id
          and open.kind = deliver.kind
          and open.name = deliver.name
          and open.outcome is null
        order by open.started_at, open.key
        limit 1
      );
    if found then
        return 'delivered';
    end if;
    insert into durable.mailbox (shard, execution_id, message_id, sent_at, kind, name, payload)
    values (0, deliver.execution_id, deliver.message_id, durable.now(), deliver.kind, deliver.name, deliver.payload);
    return 'buffered';
end
$$;
