-- park: register what executions wait for; those that nothing has answered yet give back their slot and lease.
-- One row an item: `parked`, `resolved` (go on at once with these waits), `busy` (a message is on its way: ask again) or `lost`.
create or replace function durable.park(
    shard smallint,
    worker_id uuid,
    execution_ids uuid[],
    epochs int[],
    wake_ats timestamptz[],
    wait_execution_ids uuid[],
    wait_keys text[],
    wait_kinds text[],
    wait_names text[],
    wait_delays float8[],
    wait_due_ats timestamptz[],
    wait_prompts text[],
    wait_schemas text[]
) returns table (execution_id uuid, outcome text, resolved json, wake_at timestamptz)
language plpgsql volatile
as $$
#variable_conflict use_column
declare
    at timestamptz;
    locked uuid[];
    held uuid[];
    parked_before uuid[];
    answered uuid[];
    at_rest uuid[];
    misfit record;
begin
    select present.at into at from durable.present;
    perform from durable.workers as fence
    where fence.shard = park.shard and fence.worker_id = park.worker_id and fence.lost_at is null
    for key share;
    if not found then
        return query select asked.execution_id, 'lost', null::json, null::timestamptz from unnest(execution_ids) as asked (execution_id);
        return;
    end if;

    select coalesce(array_agg(asked.execution_id), '{}') into locked
    from unnest(execution_ids) as asked (execution_id)
    where durable.try_lock_mailbox(asked.execution_id);

    -- Statements from here on see what was committed before the locks were taken: no message can slip in between.
    select
        coalesce(array_agg(execution.execution_id) filter (where execution.state = 'running'), '{}'),
        coalesce(array_agg(execution.execution_id) filter (where execution.state <> 'running'), '{}')
    into held, parked_before
    from unnest(execution_ids, epochs) as asked (execution_id, epoch)
    join durable.executions as execution
        on execution.shard = park.shard and execution.execution_id = asked.execution_id
    where execution.execution_id = any (locked)
      and execution.worker_id = park.worker_id
      and execution.epoch = asked.epoch
      and execution.state in ('running', 'waiting', 'pending');

    insert into durable.waits (shard, execution_id, started_at, due_at, key, kind, name, prompt, schema)
    select
        park.shard, asked.execution_id, at,
        coalesce(asked.due_at, at + make_interval(secs => asked.delay)),
        asked.key, asked.kind, asked.name, asked.prompt, asked.schema::json
    from unnest(
        wait_execution_ids, wait_keys, wait_kinds, wait_names, wait_delays, wait_due_ats, wait_prompts, wait_schemas
    ) as asked (execution_id, key, kind, name, delay, due_at, prompt, schema)
    where asked.execution_id = any (held)
    on conflict do nothing;

    -- An answer that came before the question is checked now; one that does not fit is dropped, and the question stands.
    for misfit in
        delete from durable.mailbox as message
        using durable.waits as waiting
        where message.shard = park.shard
          and message.execution_id = any (held)
          and message.kind = 'input'
          and waiting.shard = message.shard
          and waiting.execution_id = message.execution_id
          and waiting.kind = message.kind
          and waiting.name = message.name
          and waiting.outcome is null
          and durable.schema_mismatch(waiting.schema::jsonb, message.payload::jsonb, 'value', waiting.schema::jsonb) is not null
        returning message.execution_id, message.name
    loop
        raise warning 'an early answer to input `%` of execution % does not fit and is dropped', misfit.name, misfit.execution_id;
    end loop;

    -- A message that came before the wait resolves it; the oldest wait gets the oldest message.
    with mail as (
        select waiting.execution_id, waiting.key, min(message.arrival) as arrival
        from durable.mailbox as message
        join durable.waits as waiting
            on waiting.shard = message.shard
            and waiting.execution_id = message.execution_id
            and waiting.kind = message.kind
            and waiting.name = message.name
            and waiting.outcome is null
        where message.shard = park.shard
          and message.execution_id = any (held)
          and not exists (
            select from durable.waits as earlier
            where earlier.shard = waiting.shard
              and earlier.execution_id = waiting.execution_id
              and earlier.kind = waiting.kind
              and earlier.name = waiting.name
              and earlier.outcome is null
              and (earlier.started_at, earlier.key) < (waiting.started_at, waiting.key)
          )
        group by waiting.execution_id, waiting.key
    ),
    taken as (
        delete from durable.mailbox as message
        using mail
        where message.shard = park.shard and message.execution_id = mail.execution_id and message.arrival = mail.arrival
        returning message.execution_id, mail.key, message.message_id, message.payload
    )
    update durable.waits as waiting
    set outcome = 'received', payload = taken.payload, message_id = taken.message_id, resolved_at = at
    from taken
    where waiting.shard = park.shard and waiting.execution_id = taken.execution_id and waiting.key = taken.key;

    update durable.waits as waiting
    set outcome = case when waiting.kind = 'sleep' then 'elapsed' else 'timed_out' end, resolved_at = at
    where waiting.shard = park.shard
      and waiting.execution_id = any (held)
      and waiting.outcome is null
      and waiting.due_at <= at;

    select coalesce(array_agg(distinct waiting.execution_id), '{}') into answered
    from unnest(wait_execution_ids, wait_keys) as asked (execution_id, key)
    join durable.waits as waiting
        on waiting.shard = park.shard and waiting.execution_id = asked.execution_id and waiting.key = asked.key
    where waiting.execution_id = any (held) and waiting.outcome is not null;

    select coalesce(array_agg(rest.execution_id), '{}') into at_rest
    from (select unnest(held) except select unnest(answered)) as rest (execution_id);

    update durable.executions as execution
    set state = 'waiting',
        claims = 0,
        wake_at = least(
            asked.wake_at,
            execution.deadline_at,
            (
                select min(waiting.due_at)
                from durable.waits as waiting
                where waiting.shard = park.shard
                  and waiting.execution_id = asked.execution_id
                  and waiting.outcome is null
            )
        )
    from unnest(execution_ids, wake_ats) as asked (execution_id, wake_at)
    where execution.shard = park.shard
      and execution.execution_id = asked.execution_id
      and execution.execution_id = any (at_rest);

    return query
    select
        asked.execution_id,
        case
            when asked.execution_id <> all (locked) then 'busy'
            when asked.execution_id = any (parked_before) then 'parked'
            when asked.execution_id <> all (held) then 'lost'
            when asked.execution_id = any (answered) then 'resolved'
            else 'parked'
        end,
        case when asked.execution_id = any (answered) then (
            select json_agg(json_build_object('key', waiting.key, 'outcome', waiting.outcome, 'payload', waiting.payload))
            from durable.waits as waiting
            where waiting.shard = park.shard
              and waiting.execution_id = asked.execution_id
              and waiting.outcome is not null
        ) end,
        execution.wake_at
    from unnest(execution_ids) as asked (execution_id)
    left join durable.executions as execution
        on execution.shard = park.shard
        and execution.execution_id = any (execution_ids)
        and execution.execution_id = asked.execution_id;
end
$$;
