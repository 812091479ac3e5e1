-- fork: begin a new execution with the journal that another, which has ended, had when it came to a step or a wait; from there
-- on everything runs again. Returns the new id and its queue. The journal is kept below the ordinal of the step or wait. A step
-- has its ordinal from its end: to keep less of what branches beside it did meanwhile, the client gives a smaller `kept_below`
-- (`plan/retry_from.rs`). The function without `edits` is dropped: a call would fit both.
drop function if exists durable.fork(uuid, text, int, uuid, bigint);
create or replace function durable.fork(
    execution_id uuid,
    from_key text,
    version int default null,
    new_id uuid default durable.new_id(),
    kept_below bigint default null,
    edits json default null,
    out id uuid,
    out queue text
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
    if exists (select from durable.execution_values where execution_id = fork.execution_id and state is not null) then
        raise exception 'execution % is of a graph, which cannot be forked: only the newest value of each node is kept', fork.execution_id
        using errcode = 'UD422', hint = 'retry it, or start a new execution with the inputs';
    end if;
    perform durable.lock_mailbox(fork.execution_id);
    select min(ordinal) into until
    from (
        select ordinal
        from durable.checkpoints
        where execution_id = fork.execution_id and key = from_key
        union all
        select ordinal
        from durable.waits
        where execution_id = fork.execution_id and key = from_key
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
    from durable.take_over(fork.execution_id, new_id, fork.version, least(until, kept_below), array[from_key], fork.edits, false);
end
$$;
