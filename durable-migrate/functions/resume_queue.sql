-- resume_queue: allow claims from a paused queue again. A queue that is not paused does not change.
create or replace function durable.resume_queue(queue text) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update durable.queues
    set paused_at = null, updated_at = durable.now()
    where queues.queue = $1 and queues.paused_at is not null
$$;
