-- publish: give a payload to every execution that waits on the topic with this correlation, and to no execution twice under one key.
-- A call reaches up to 500 executions. While `more` is true, call it again with the same key and payload.
-- A wait with a correlation gets only payloads with the same correlation; a wait without one gets only payloads without one.
create or replace function durable.publish(
    topic text,
    payload json default 'null',
    correlation text default null,
    key text default null,
    out reached int,
    out more boolean,
    out woken_queues text[],
    out running uuid[]
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- Each execution takes an entry in the server's lock table, which has room for some thousands.
    most constant int := 500;
    publication record;
    given record;
    listeners uuid[];
    locked uuid[];
    resting uuid[];
    at timestamptz;
begin
    if publish.topic is null or publish.topic = '' then
        raise exception 'a publication without a topic' using errcode = 'UD422', hint = 'give the topic that workflows wait on';
    end if;
    perform durable.check_name('the topic of a publication', publish.topic);
    perform durable.check_name(format('the correlation of a publication to `%s`', publish.topic), publish.correlation);
    perform durable.check_name(format('the key of a publication to `%s`', publish.topic), publish.key);
    payload := coalesce(publish.payload, 'null');
    perform durable.check_payload(format('the publication to `%s`', publish.topic), publish.payload::text);

    -- A repeated call continues this publication, which is for the executions that waited when it was first published.
    key := coalesce(publish.key, gen_random_uuid()::text);
    loop
        insert into durable.publications (topic, key, published_at, message_id)
        values (publish.topic, publish.key, durable.now(), gen_random_uuid())
        on conflict do nothing;
        select ordinal, message_id into publication
        from durable.publications
        where topic = publish.topic and key = publish.key;
        -- A publication that is pruned between the two statements counts as none.
        exit when found;
    end loop;

    select coalesce(array_agg(distinct listener.execution_id), '{}'), count(*) = most into listeners, more
    from (
        select open.execution_id
        from (
            select execution_id, ordinal, due_at
            from durable.waits
            where kind = 'topic' and name = publish.topic and outcome is null
              and correlation = publish.correlation
            union all
            select execution_id, ordinal, due_at
            from durable.waits
            where kind = 'topic' and name = publish.topic and outcome is null
              and correlation is null and publish.correlation is null
        ) as open
        cross join lateral (
            select finished_at
            from durable.executions
            where execution_id = open.execution_id
            limit 1
        ) as execution
        where open.ordinal < publication.ordinal
          and (open.due_at is null or open.due_at > durable.now())
          and execution.finished_at is null
          and not exists (
            select from durable.refusals
            where refusals.execution_id = open.execution_id
              and refusals.message_id = publication.message_id
          )
        limit most
    ) as listener;

    select coalesce(array_agg(listener.id), '{}') into locked
    from unnest(listeners) as listener (id)
    where durable.try_lock_mailbox(listener.id);
    -- Lock only the rows of waiting executions: a claim would skip a locked pending row until its next poll.
    resting := array(
        select execution_id
        from durable.executions
        where execution_id = any (locked) and state = 'waiting'
        for no key update skip locked
    );
    locked := array(
        select execution_id
        from durable.executions
        where execution_id = any (locked) and (state <> 'waiting' or execution_id = any (resting))
    );
    -- Wait for a mailbox only while holding no other, so that a transaction that holds one mailbox delays no other execution.
    if locked = '{}' and listeners <> '{}' then
        perform durable.lock_mailbox(listeners [1]);
        perform from durable.executions where execution_id = listeners [1] for no key update;
        locked := listeners [1:1];
    end if;
    at := durable.now();
    more := more or cardinality(locked) < cardinality(listeners);

    select coalesce(array_agg(execution_id), '{}') as execution_ids, coalesce(array_agg(key), '{}') as keys into given
    from (
        select execution_id, key
        from durable.waits
        where execution_id = any (locked)
          and kind = 'topic'
          and name = publish.topic
          and correlation is not distinct from publish.correlation
          -- This keeps the planner from the index of topics, in which it would read every wait on this topic.
          and coalesce(outcome, 'open') = 'open'
          and ordinal < publication.ordinal
          and (due_at is null or due_at > at)
    ) as listening;
    given.execution_ids := array(
        select resolved.execution_id
        from durable.resolve_waits(
            given.execution_ids,
            given.keys,
            'received',
            at,
            array[publish.payload],
            message_ids => array_fill(publication.message_id, array[cardinality(given.execution_ids)])
        ) as resolved
    );
    with woken as (
        update durable.executions
        set state = 'pending', wake_at = case when paused_at is not null then 'infinity'::timestamptz end
        where execution_id = any (given.execution_ids)
          and state = 'waiting'
          and error is null
        returning execution_id, queue
    )
    select
        count(distinct listener.execution_id),
        coalesce(array_agg(distinct woken.queue) filter (where woken.execution_id is not null), '{}'),
        coalesce(array_agg(distinct listener.execution_id) filter (where woken.execution_id is null), '{}')
    into reached, woken_queues, running
    from unnest(given.execution_ids) as listener (execution_id)
    left join woken using (execution_id);
end
$$;
