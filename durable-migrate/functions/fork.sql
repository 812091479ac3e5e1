-- fork: begin a new execution with the journal that another, which has ended, had when it came to a step or a wait; from there
-- on everything runs again. Says the new id and its queue.
create or replace function durable.fork(
    execution_id uuid, from_key text, version int default null, new_id uuid default durable.new_id(), out id uuid, out queue text
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    until bigint;
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
    with recorded as materialized (
        select key, ordinal, ordinal as ended_ordinal, started_at, finished_at as ended_at
        from durable.checkpoints
        where execution_id = fork.execution_id
        union all
        select key, ordinal, resolved_ordinal, started_at, resolved_at
        from durable.waits
        where execution_id = fork.execution_id
    )
    select min(ordinal) into until
    from (
        select ordinal
        from recorded
        where key = from_key
        union all
        -- A step has its ordinal from its end, and only branches beside it record anything while it runs. What they did before it
        -- began is kept: that alone is read from the times, and a prefix of the journal is whole whatever they say.
        select other.ended_ordinal
        from recorded as step
        join recorded as other on other.ended_at > step.started_at and durable.beside(other.key, step.key)
        where step.key = from_key
    ) as entry;
    if until is null and exists (select from durable.executions where execution_id = fork.execution_id) then
        select string_agg(key, ', ' order by ordinal) into keys
        from (
            select key, ordinal
            from durable.checkpoints
            where execution_id = fork.execution_id
            union all
            select key, ordinal
            from durable.waits
            where execution_id = fork.execution_id
            order by ordinal
            limit 20
        ) as entry;
        raise exception 'execution % has no step or wait `%`', fork.execution_id, from_key
        using errcode = 'UD404', hint = 'it has ' || coalesce(keys, 'none');
    end if;
    select * into id, queue
    from durable.take_over(fork.execution_id, new_id, fork.version, until, array[from_key]);
end
$$;
