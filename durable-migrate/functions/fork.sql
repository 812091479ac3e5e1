-- fork: begin a new execution with the journal that another, which has ended, had when it came to a step or a wait; from there
-- on everything runs again. Says the new id and its queue.
create or replace function durable.fork(
    execution_id uuid, from_key text, version int default null, new_id uuid default durable.new_id(), out id uuid, out queue text
)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    begun_at timestamptz;
    keys text;
begin
    if fork.from_key is null or fork.from_key = '' then
        raise exception 'a fork from no step and no wait'
        using errcode = 'UD422', hint = 'give the journal key from which everything is to run again';
    end if;
    if fork.version < 1 then
        raise exception 'a fork in version %', fork.version using errcode = 'UD422', hint = 'versions start at 1';
    end if;
    perform durable.lock_mailbox(fork.execution_id);
    select min(started_at) into begun_at
    from (
        select started_at
        from durable.checkpoints
        where shard = 0 and execution_id = fork.execution_id and key = from_key
        union all
        select started_at
        from durable.waits
        where shard = 0 and execution_id = fork.execution_id and key = from_key
    ) as entry;
    if begun_at is null and exists (select from durable.executions where shard = 0 and execution_id = fork.execution_id) then
        select string_agg(key, ', ' order by at) into keys
        from (
            select key, started_at as at
            from durable.checkpoints
            where shard = 0 and execution_id = fork.execution_id
            union all
            select key, started_at
            from durable.waits
            where shard = 0 and execution_id = fork.execution_id
            order by at
            limit 20
        ) as entry;
        raise exception 'execution % has no step or wait `%`', fork.execution_id, from_key
        using errcode = 'UD404', hint = 'it has ' || coalesce(keys, 'none');
    end if;
    select * into id, queue
    from durable.take_over(fork.execution_id, new_id, fork.version, begun_at, array[from_key]);
end
$$;
