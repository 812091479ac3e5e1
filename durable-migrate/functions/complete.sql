-- complete: end an open graph: its nodes that are under way are dropped, and its output is what it has computed so far.
create or replace function durable.complete(
    execution_id uuid,
    message_id uuid default gen_random_uuid(),
    out outcome text,
    out woken_queue text
)
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select outcome, woken_queue from durable.send_change($1, '{"complete": true}', $2)
$$;
