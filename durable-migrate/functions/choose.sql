-- choose: choose the executions that a claim may take from a queue with limits or with concurrency keys.
-- Keys take turns, and executions without a key take turns with the keys. This locks the queue's row, so that executions that another
-- claim has taken are committed and counted.
create or replace function durable.choose(
    queue text,
    room int,
    workflows text[],
    labels text[],
    key_limits int[],
    out at timestamptz,
    out chosen uuid[],
    out limited boolean,
    out retry_at timestamptz
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    settings durable.queues;
    counted_at timestamptz;
    has_keys boolean;
    has_others boolean;
    starts_left int;
    oldest_start timestamptz;
    turns record;
    choice record;
begin
    chosen := '{}';
    -- Lock nothing for a queue that is paused or empty.
    if exists (
        select from durable.queues as paused
        where paused.queue = choose.queue and paused.paused_at is not null
    ) then
        return;
    end if;
    has_keys := exists (
        select from durable.executions as pending
        where pending.queue = choose.queue
          and pending.state = 'pending'
          and pending.wake_at is null
          and pending.concurrency_key is not null
    );
    has_others := exists (
        select from durable.executions as pending
        where pending.queue = choose.queue
          and pending.state = 'pending'
          and pending.wake_at is null
          and pending.concurrency_key is null
    );
    if not has_keys and not has_others then
        return;
    end if;
    select * into settings
    from durable.queues as configured
    where configured.queue = choose.queue
    for no key update;
    if not found then
        -- The queue was never configured, but its keys need a row that holds whose turn it is.
        insert into durable.queues (queue, updated_at) values (choose.queue, durable.now())
        on conflict do nothing;
        select * into settings
        from durable.queues as configured
        where configured.queue = choose.queue
        for no key update;
    end if;
    if not found or settings.paused_at is not null then
        return;
    end if;
    if has_keys then
        -- The executions of a key are counted over all queues.
        perform pg_advisory_xact_lock(hashtextextended('durable.concurrency_keys', 0));
    end if;

    -- Statements from here on see what was committed before the locks were taken.
    select present.at into counted_at from durable.present;
    limited := settings.concurrency is not null;
    if limited then
        -- Executions of a worker that has no row count, too.
        with recursive holder as (
            (
                select running.worker_id
                from durable.executions as running
                where running.state = 'running'
                order by running.worker_id
                limit 1
            )
            union all
            select next.worker_id
            from holder
            cross join lateral (
                select running.worker_id
                from durable.executions as running
                where running.state = 'running' and running.worker_id > holder.worker_id
                order by running.worker_id
                limit 1
            ) as next
        )
        select least(choose.room, settings.concurrency - count(*)) into room
        from durable.executions as running
        where running.state = 'running'
          and running.worker_id = any (array(select holder.worker_id from holder))
          and running.queue = choose.queue;
    end if;
    if choose.room <= 0 then
        return;
    end if;
    if settings.rate is not null or settings.key_rate is not null then
        perform durable.redate_starts(choose.queue, counted_at);
    end if;
    if settings.rate is not null then
        select settings.rate - coalesce(sum(begun.starts), 0), min(begun.started_at) into starts_left, oldest_start
        from durable.queue_starts as begun
        where begun.queue = choose.queue
          and begun.key = ''
          and begun.started_at > counted_at - settings.rate_period;
    end if;

    select
        coalesce(array_agg(turn.place order by turn.place) filter (where turn.may_run > 0), '{}') as places,
        array_agg(turn.workflow order by turn.place) filter (where turn.may_run > 0) as workflows,
        array_agg(turn.key order by turn.place) filter (where turn.may_run > 0) as keys,
        array_agg(turn.may_run order by turn.place) filter (where turn.may_run > 0) as runs,
        array_agg(turn.may_start order by turn.place) filter (where turn.may_run > 0) as starts,
        min(turn.retry_at) as retry_at,
        (array_agg(turn.workflow order by turn.place desc)) [1] as last_workflow,
        (array_agg(turn.key order by turn.place desc)) [1] as last_key
    into turns
    from durable.keys_in_turn(settings, counted_at, choose.room, starts_left, workflows, labels, key_limits) as turn
    where has_keys;
    -- Read after the counting: an execution begins after the ends that made room for it.
    select present.at into at from durable.present;

    with keyed as materialized (
        select key.place, next.execution_id, next.epoch, next.nth, key.key
        from unnest(turns.places, turns.workflows, turns.keys, turns.runs, turns.starts)
            as key (place, workflow, key, may_run, may_start)
        cross join lateral (
            select
                locked.execution_id,
                locked.epoch,
                row_number() over () as nth,
                count(*) filter (where locked.epoch = 0) over (rows unbounded preceding) as nth_start
            from (
                select pending.execution_id, pending.epoch
                from durable.executions as pending
                where pending.queue = choose.queue
                  and pending.state = 'pending'
                  and pending.wake_at is null
                  and pending.workflow = key.workflow
                  and pending.concurrency_key = key.key
                  and pending.workflow || '@' || pending.version = any (choose.labels)
                  and pending.epoch < 2147483647
                  and (pending.expires_at > at) is not false
                order by (pending.epoch = 0), pending.rank, pending.execution_id
                -- Take equally many of each key. The next claim takes the rest.
                limit least(key.may_run, ceil(choose.room::numeric / cardinality(turns.places)))
                for no key update skip locked
            ) as locked
        ) as next
        where next.epoch > 0 or next.nth_start <= key.may_start
    ),
    unkeyed as materialized (
        select locked.execution_id, locked.epoch, row_number() over () as nth
        from (
            select pending.execution_id, pending.epoch
            from durable.executions as pending
            where pending.queue = choose.queue
              and pending.state = 'pending'
              and pending.wake_at is null
              and pending.concurrency_key is null
              and pending.workflow || '@' || pending.version = any (choose.labels)
              and pending.epoch < 2147483647
              and (pending.expires_at > at) is not false
              and coalesce(starts_left, 1) > 0
            order by pending.rank, pending.execution_id
            limit choose.room
            for no key update skip locked
        ) as locked
        union all
        -- The rate holds back only executions that have not begun.
        select locked.execution_id, locked.epoch, row_number() over () as nth
        from (
            select pending.execution_id, pending.epoch
            from durable.executions as pending
            where pending.queue = choose.queue
              and pending.state = 'pending'
              and pending.wake_at is null
              and pending.concurrency_key is null
              and pending.epoch > 0
              and pending.workflow || '@' || pending.version = any (choose.labels)
              and pending.epoch < 2147483647
              and starts_left <= 0
            order by pending.rank, pending.execution_id
            limit choose.room
            for no key update skip locked
        ) as locked
    ),
    in_line as (
        select execution_id, epoch, key, place, row_number() over (order by nth, place) as nth, settings.keys_first as first
        from keyed
        union all
        select execution_id, epoch, null, null, nth, not settings.keys_first
        from unkeyed
    ),
    allowed as (
        select in_line.*, count(*) filter (where epoch = 0) over (order by nth, first desc rows unbounded preceding) as nth_start
        from in_line
    ),
    taken as (
        select *
        from allowed
        where starts_left is null or epoch > 0 or nth_start <= starts_left
        order by nth, first desc
        limit choose.room
    ),
    logged as (
        insert into durable.queue_starts (queue, key, started_at, starts)
        select choose.queue, counted.key, at, count(*)
        from taken
        cross join lateral (
            select '' as key where settings.rate is not null
            union all
            select taken.key where settings.key_rate is not null and taken.key is not null
        ) as counted
        where taken.epoch = 0
        group by counted.key
        on conflict on constraint queue_starts_pkey do update
        set starts = queue_starts.starts + excluded.starts
    )
    select
        coalesce(array_agg(taken.execution_id), '{}') as executions,
        count(*) filter (where taken.epoch = 0) as starts,
        max(taken.place) as last_place,
        exists (select from keyed) as from_keys,
        exists (select from unkeyed) as from_others
    into choice
    from taken;

    chosen := choice.executions;
    if choice.last_place is not null then
        turns.last_workflow := turns.workflows[array_position(turns.places, choice.last_place)];
        turns.last_key := turns.keys[array_position(turns.places, choice.last_place)];
    elsif choice.from_keys then
        -- Executions without a key had this turn. The keys have the next one.
        turns.last_workflow := settings.turn_workflow;
        turns.last_key := settings.turn_key;
    end if;
    settings.keys_first := settings.keys_first <> (choice.from_keys and choice.from_others);
    update durable.queues as configured
    set turn_workflow = coalesce(turns.last_workflow, configured.turn_workflow),
        turn_key = coalesce(turns.last_key, configured.turn_key),
        keys_first = settings.keys_first
    where configured.queue = choose.queue
      and (turns.last_key <> coalesce(configured.turn_key, '')
        or turns.last_workflow <> configured.turn_workflow
        or settings.keys_first <> configured.keys_first);
    retry_at := least(
        turns.retry_at,
        case when starts_left - choice.starts <= 0 then coalesce(oldest_start, at) + settings.rate_period end
    );
    if choice.starts > 0 then
        perform durable.forget_starts(settings, at);
    end if;
end
$$;
