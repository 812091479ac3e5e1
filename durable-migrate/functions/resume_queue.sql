-- resume_queue: have a paused queue claimed from again. One that is not paused stays as it is.
create or replace function durable.resume_queue(queue text) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    update durable.queues
    set paused_at = null, updated_at = durable.now()
    where queues.queue = $1 and queues.paused_at is not null
$$;
