-- retry: continue from where an execution failed or was cancelled, in a new execution, because a terminal state is final.
-- Everything is kept but the entries under the journal keys `repeated`; these calls run again. Returns the new id and its queue.
-- The client reads the journal and decides which keys these are (`plan/retry_from.rs`). Without them, only the two plain cases are
-- accepted: no call failed, or one did and nothing began after it.
-- With `give_back`, the events that repeated waits and closes had taken are in the mailbox of the new execution.
-- With `unless_continued`, an execution is refused if a retry or a fork continues it, whatever became of that one.
drop function if exists durable.retry(uuid, int, uuid, text[]);
drop function if exists durable.retry(uuid, int, uuid, text[], json);
drop function if exists durable.retry(uuid, int, uuid, text[], json, boolean);
create or replace function durable.retry(
    execution_id uuid,
    version int default null,
    new_id uuid default durable.new_id(),
    repeated text[] default null,
    edits json default null,
    unless_continued boolean default false,
    give_back boolean default false,
    out id uuid,
    out queue text
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
    has_ended boolean;
    last_failed bigint;
    unknown_key text;
begin
    if retry.version < 1 then
        raise exception 'a retry in version %', retry.version using errcode = 'UD422', hint = 'versions start at 1';
    end if;
    if array_position(repeated, null) is not null then
        raise exception 'a null among the calls to repeat' using errcode = 'UD422', hint = 'give the journal keys of these calls';
    end if;
    if retry.edits is not null
        and exists (select from durable.execution_values where execution_id = retry.execution_id and state is not null)
    then
        raise exception 'execution % is of a graph, whose retry takes no edits', retry.execution_id
        using errcode = 'UD422', hint = 'retry it without edits and set its inputs, or start a new execution';
    end if;
    -- The second of two retries finds the execution that the first has created.
    perform durable.lock_mailbox(retry.execution_id);
    -- It must not end between this look and the copy of its journal.
    select state, finished_at into target
    from durable.executions
    where execution_id = retry.execution_id
    for share;
    has_ended := target.finished_at is not null;
    if target.state = 'completed' then
        raise exception 'execution % has completed: there is nothing to retry', retry.execution_id
        using errcode = 'UD410', hint = 'to run a part of it again, fork it from a step';
    end if;
    if unless_continued then
        select execution_id into target
        from durable.executions
        where forked_from = retry.execution_id and execution_id <> new_id
        order by execution_id desc
        limit 1;
        if found then
            raise exception 'execution % is continued by % already', retry.execution_id, target.execution_id
            using errcode = 'UD409', hint = 'look at that one, or retry without unless_continued';
        end if;
    end if;
    select execution_id, state into target
    from durable.executions
    where forked_from = retry.execution_id
      and state not in ('failed', 'cancelled', 'compensated', 'compensation_failed')
      and execution_id <> new_id
    limit 1;
    if found then
        raise exception 'execution % goes on as % already, which is %', retry.execution_id, target.execution_id, target.state
        using errcode = 'UD409', hint = 'look at that one; fork from a step to have another';
    end if;
    if repeated is null and has_ended then
        select coalesce(array_agg(key order by ended), '{}'), max(ended) into repeated, last_failed
        from (
            select key, ordinal as ended
            from durable.checkpoints
            where execution_id = retry.execution_id and error is not null
            union all
            select key, coalesce(resolved_ordinal, ordinal)
            from durable.waits
            where execution_id = retry.execution_id
              and (
                outcome in ('timed_out', 'cancelled')
                or kind = 'child' and payload ->> 'state' not in ('completed', 'started')
              )
        ) as failure;
        if cardinality(repeated) > 1
            or exists (select from durable.checkpoints where execution_id = retry.execution_id and ordinal > last_failed)
            or exists (select from durable.waits where execution_id = retry.execution_id and ordinal > last_failed)
        then
            raise exception 'execution % had failures that its workflow may have handled: which calls are to run again?',
                retry.execution_id
            using errcode = 'UD422', hint = format(
                'use the command line or the client, which read the journal; or name the calls, as in `repeated => array[%L]`. These failed: %s',
                repeated[cardinality(repeated)],
                array_to_string(repeated[greatest(cardinality(repeated) - 19, 1):], ', ')
            );
        end if;
    end if;
    select unknown into unknown_key
    from unnest(repeated) as unknown
    where not exists (select from durable.checkpoints where execution_id = retry.execution_id and key = unknown)
      and not exists (select from durable.waits where execution_id = retry.execution_id and key = unknown)
    limit 1;
    if found then
        raise exception 'execution % has recorded no call `%`', retry.execution_id, unknown_key
        using errcode = 'UD404', hint = format(
            'look up its journal keys: select key from durable.checkpoints where execution_id = %L', retry.execution_id
        );
    end if;
    select * into id, queue
    from durable.take_over(retry.execution_id, new_id, retry.version, null, repeated, retry.edits, retry.give_back);
    -- The children that are started again get the keys of those that failed.
    update durable.executions
    set key = null
    where parent_id = retry.execution_id
      and parent_key = any (repeated)
      and key is not null
      and state in ('failed', 'cancelled', 'compensated', 'compensation_failed');
end
$$;
