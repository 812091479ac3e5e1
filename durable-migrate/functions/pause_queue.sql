-- pause_queue: stop all claims from a queue. Running executions continue. Pausing a queue twice changes nothing.
create or replace function durable.pause_queue(queue text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if pause_queue.queue is null or pause_queue.queue = '' then
        raise exception 'a queue without a name' using errcode = 'UD422', hint = 'give the name of the queue to pause';
    end if;
    perform durable.check_name('the name of a queue', pause_queue.queue);
    insert into durable.queues (queue, paused_at, updated_at)
    values (pause_queue.queue, durable.now(), durable.now())
    on conflict on constraint queues_pkey do update
    set paused_at = excluded.paused_at, updated_at = excluded.updated_at
    where queues.paused_at is null;
end
$$;
