-- update_input: change the deadline of an open input, assign it to another person, or both. The input is given by its key, or by
-- its name if only one open input has it. Null leaves the deadline or the assignee as it is; the deadline `infinity` and the
-- assignee '' take it away. Returns what was before, and what is now.
create or replace function durable.update_input(
    execution_id uuid,
    input text,
    deadline timestamptz default null,
    assignee text default null,
    out key text,
    out due_at timestamptz,
    out was_due_at timestamptz,
    out now_assigned_to text,
    out was_assigned_to text
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- As `clock.rs`: what comes later never comes.
    last constant timestamptz := '9999-12-31T23:59:59Z';
    target record;
    asked record;
    decided text;
    at timestamptz;
begin
    if update_input.input is null or update_input.input = '' then
        raise exception 'an input without a key or a name'
        using errcode = 'UD422', hint = 'list the open ones: select * from durable.waits where kind = ''input'' and outcome is null';
    end if;
    if update_input.deadline is null and update_input.assignee is null then
        raise exception 'an update of input `%` that changes nothing', update_input.input
        using errcode = 'UD422', hint = 'give a deadline or an assignee';
    end if;
    if octet_length(update_input.assignee) > 500 then
        raise exception 'the assignee of input `%` has % bytes', update_input.input, octet_length(update_input.assignee)
        using errcode = 'UD422', hint = 'give 1 to 500 bytes';
    end if;
    perform durable.check_name(format('the assignee of input `%s`', update_input.input), nullif(update_input.assignee, ''));
    perform durable.lock_mailbox(update_input.execution_id);
    at := durable.now();

    select state, finished_at, deadline_at, rollback into target
    from durable.executions
    where execution_id = update_input.execution_id;
    if target is null then
        raise exception 'there is no execution %', update_input.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    if target.finished_at is not null then
        raise exception 'execution % is already %: input `%` cannot be changed', update_input.execution_id, target.state, update_input.input
        using errcode = 'UD410';
    end if;
    if target.rollback is null and target.deadline_at <= at then
        raise exception 'the time of execution % was over at %: input `%` cannot be changed',
            update_input.execution_id, target.deadline_at, update_input.input
        using errcode = 'UD410';
    end if;
    if update_input.deadline <= at then
        raise exception 'the deadline % of input `%` has passed: it is %', update_input.deadline, update_input.input, at
        using errcode = 'UD422', hint = 'give a later time; to end the question now, cancel its wait';
    end if;

    -- The database's time ends a question, whether or not a worker has looked since.
    select
        array_agg(waits.key) filter (where waits.key = update_input.input) as by_key,
        array_agg(waits.key order by ordinal) filter (where name = update_input.input) as by_name,
        left(string_agg(format('`%s`', waits.key), ', ' order by ordinal), 2000) as keys
    into asked
    from durable.waits
    where execution_id = update_input.execution_id
      and kind = 'input'
      and outcome is null
      and (waits.due_at is null or waits.due_at > at);
    if asked.by_key is null and cardinality(asked.by_name) > 1 then
        raise exception '% open inputs of execution % have the name `%`',
            cardinality(asked.by_name), update_input.execution_id, update_input.input
        using errcode = 'UD409', hint = format('give the key of one: %s', array_to_string(asked.by_name, ', '));
    end if;
    key := (coalesce(asked.by_key, asked.by_name)) [1];
    if key is null then
        select coalesce(outcome, 'timed_out') into decided
        from durable.waits
        where execution_id = update_input.execution_id
          and kind = 'input'
          and (waits.key = update_input.input or name = update_input.input)
        order by resolved_ordinal desc
        limit 1;
        if found then
            raise exception 'input `%` of execution % is decided already (%)', update_input.input, update_input.execution_id, decided
            using errcode = 'UD409', hint = coalesce('these are open: ' || asked.keys, 'nothing asks for it now');
        end if;
        raise exception 'execution % has no open input `%`', update_input.execution_id, update_input.input
        using errcode = 'UD404', hint = coalesce('these are open: ' || asked.keys, 'no input is open');
    end if;

    select waits.due_at, waits.assignee into was_due_at, was_assigned_to
    from durable.waits
    where execution_id = update_input.execution_id and waits.key = update_input.key;
    due_at := case
        when update_input.deadline is null then was_due_at
        when update_input.deadline <= last then update_input.deadline
    end;
    now_assigned_to := case when update_input.assignee is null then was_assigned_to else nullif(update_input.assignee, '') end;
    update durable.waits
    set due_at = update_input.due_at, assignee = update_input.now_assigned_to
    where execution_id = update_input.execution_id and waits.key = update_input.key and outcome is null;

    -- A timer that is too early wakes an execution for nothing, and it waits on. One that is too late would miss the deadline.
    update durable.executions
    set wake_at = update_input.due_at
    where execution_id = update_input.execution_id
      and state = 'waiting'
      and error is null
      and (wake_at is null or wake_at > update_input.due_at)
      and update_input.due_at is not null;
end
$$;
