-- delete_queue: delete the limits of an empty queue. This reads all executions, so it may take long.
create or replace function durable.delete_queue(queue text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    rest text;
begin
    if delete_queue.queue is null then
        raise exception 'a queue without a name' using errcode = 'UD422', hint = 'give the name of the queue to delete';
    end if;
    perform from durable.queues
    where queues.queue = delete_queue.queue
    for update;
    if not found then
        raise exception 'queue `%` has no settings', delete_queue.queue
        using errcode = 'UD404', hint = 'check the name; a queue that was never limited or paused need not be deleted';
    end if;
    select string_agg(format('%s %s', executions, state), ', ' order by state) into rest
    from (
        select execution.state, count(*) as executions
        from durable.executions as execution
        where execution.queue = delete_queue.queue and execution.finished_at is null
        group by execution.state
    ) as unfinished;
    if rest is not null then
        raise exception 'queue `%` is not empty: %', delete_queue.queue, rest
        using errcode = 'UD409', hint = 'let them finish or cancel them; set limits without values to lift the limits';
    end if;
    delete from durable.queue_starts where queue_starts.queue = delete_queue.queue;
    delete from durable.queues where queues.queue = delete_queue.queue;
end
$$;
