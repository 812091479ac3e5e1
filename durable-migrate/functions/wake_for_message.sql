-- wake_for_message: put a waiting execution back into its queue, and return the queue. An execution that was stopped stays stopped.
-- The caller holds lock_mailbox.
create or replace function durable.wake_for_message(execution_id uuid) returns text
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update durable.executions
    set state = 'pending', wake_at = case when paused_at is not null then 'infinity'::timestamptz end
    where executions.execution_id = $1 and executions.state = 'waiting' and executions.error is null
    returning executions.queue
$$;
