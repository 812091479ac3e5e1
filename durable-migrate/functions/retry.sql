-- retry: go on from where an execution failed or was cancelled, in a new execution: a terminal state is final.
-- What had completed is kept and does not run again; what failed, and what was cut off, does. Says the new id and its queue.
create or replace function durable.retry(
    execution_id uuid, version int default null, new_id uuid default durable.new_id(), out id uuid, out queue text
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
    repeated text[];
begin
    if retry.version < 1 then
        raise exception 'a retry in version %', retry.version using errcode = 'UD422', hint = 'versions start at 1';
    end if;
    -- Of two who retry it, the second finds what the first began.
    perform durable.lock_mailbox(retry.execution_id);
    select state into target
    from durable.executions
    where execution_id = retry.execution_id;
    if target.state = 'completed' then
        raise exception 'execution % has completed: there is nothing to retry', retry.execution_id
        using errcode = 'UD410', hint = 'to run a part of it again, fork it from a step';
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
    repeated := array(select durable.to_repeat(retry.execution_id));
    select * into id, queue
    from durable.take_over(retry.execution_id, new_id, retry.version, null, repeated);
    -- The children that are started again get the keys of those that failed.
    update durable.executions
    set key = null
    where parent_id = retry.execution_id
      and parent_key = any (repeated)
      and key is not null
      and state in ('failed', 'cancelled', 'compensated', 'compensation_failed');
end
$$;
