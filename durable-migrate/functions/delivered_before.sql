-- delivered_before: whether this message was accepted before. A sender that lost the answer may send the message again.
create or replace function durable.delivered_before(execution_id uuid, message_id uuid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from durable.waits
        where waits.execution_id = $1 and waits.message_id = $2
    ) or exists (
        select from durable.mailbox
        where mailbox.execution_id = $1 and mailbox.message_id = $2
    ) or exists (
        select from durable.refusals
        where refusals.execution_id = $1 and refusals.message_id = $2
    ) or exists (
        select from durable.past_messages
        where past_messages.execution_id = $1 and past_messages.message_id = $2
    )
$$;
