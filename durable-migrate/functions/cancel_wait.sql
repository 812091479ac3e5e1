-- cancel_wait: end an open wait without what it is for, by its key, or by its name where only one has it.
-- A child that is waited for is cancelled with its wait; `cancelled` lists what ended.
create or replace function durable.cancel_wait(
    execution_id uuid,
    wait text,
    out woken_queue text,
    out cancelled uuid[]
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
    waiting record;
    decided text;
    child uuid;
begin
    cancelled := '{}';
    if cancel_wait.wait is null or cancel_wait.wait = '' then
        raise exception 'a wait without a key or a name'
        using errcode = 'UD422', hint = 'list the open ones: select * from durable.waits where outcome is null';
    end if;
    perform durable.lock_mailbox(cancel_wait.execution_id);

    select state, finished_at into target
    from durable.executions
    where execution_id = cancel_wait.execution_id;
    if target is null then
        raise exception 'there is no execution %', cancel_wait.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if target.finished_at is not null then
        raise exception 'execution % is already %: there is no wait `%` to cancel', cancel_wait.execution_id, target.state, cancel_wait.wait
        using errcode = 'UD410';
    end if;

    select
        array_agg(key) filter (where key = cancel_wait.wait) as by_key,
        array_agg(key) filter (where name = cancel_wait.wait or cancel_wait.wait = any (names)) as by_name,
        left(string_agg(format('`%s`', key), ', ' order by ordinal), 2000) as keys
    into waiting
    from durable.waits
    where execution_id = cancel_wait.execution_id
      and outcome is null
      and (due_at is null or due_at > durable.now());
    if waiting.by_key is null and cardinality(waiting.by_name) > 1 then
        raise exception '% open waits of execution % are for `%`', cardinality(waiting.by_name), cancel_wait.execution_id, cancel_wait.wait
        using errcode = 'UD409', hint = format('give the key of one: %s', array_to_string(waiting.by_name, ', '));
    end if;
    if waiting.by_key is null and waiting.by_name is null then
        -- The database's time ends a wait, whether or not a worker has looked since.
        select coalesce(outcome, case when kind = 'sleep' then 'elapsed' else 'timed_out' end) into decided
        from durable.waits
        where execution_id = cancel_wait.execution_id
          and (key = cancel_wait.wait or name = cancel_wait.wait or cancel_wait.wait = any (names))
        order by resolved_ordinal desc
        limit 1;
        if decided = 'cancelled' then
            return;
        end if;
        if decided is not null then
            raise exception 'wait `%` of execution % is decided already (%)', cancel_wait.wait, cancel_wait.execution_id, decided
            using errcode = 'UD409', hint = 'there is nothing left to cancel';
        end if;
        raise exception 'execution % has no wait `%`', cancel_wait.execution_id, cancel_wait.wait
        using errcode = 'UD404', hint = coalesce('it waits for ' || waiting.keys, 'it waits for nothing now');
    end if;

    select resolved.child_id into child
    from durable.resolve_waits(
        array[cancel_wait.execution_id], (coalesce(waiting.by_key, waiting.by_name)) [1:1], 'cancelled', durable.now()
    ) as resolved;
    woken_queue := durable.wake_for_message(cancel_wait.execution_id);
    if child is not null then
        select coalesce(array_agg(ended.id), '{}') into cancelled
        from durable.cancel_families(
            array[child], durable.failure('cancelled', 'its parent no longer waits for it'), wait => true
        ) as ended;
    end if;
end
$$;
