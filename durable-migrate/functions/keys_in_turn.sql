-- keys_in_turn: each concurrency key of a queue's pending executions once, beginning after the key that had the last turn.
-- It returns up to a thousand keys, or fewer if `room` of them may run an execution. If `may_run` is 0, no execution of the key may be
-- claimed.
create or replace function durable.keys_in_turn(
    settings durable.queues,
    at timestamptz,
    room int,
    starts_left int,
    workflows text[],
    labels text[],
    key_limits int[]
) returns table (place int, workflow text, key text, may_run int, may_start int, retry_at timestamptz)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- The most blocked keys before one that is not blocked. A claim that reads this many takes some milliseconds.
    most_visits constant int := 1000;
    stretch record;
    visits int := 0;
    opened int := 0;
begin
    for stretch in
        select stretches.*
        from (
            select
                known.workflow,
                known.key_limit,
                case when known.workflow = settings.turn_workflow then settings.turn_key else '' end as after_key,
                null as last_key,
                coalesce(known.workflow < settings.turn_workflow, false) as wrapped
            from (
                select name as workflow, min(key_limit) as key_limit
                from unnest(workflows, key_limits) as known (name, key_limit)
                group by name
            ) as known
            union all
            select settings.turn_workflow, min(key_limit), '', settings.turn_key, true
            from unnest(workflows, key_limits) as known (name, key_limit)
            where name = settings.turn_workflow
            having count(*) > 0
        ) as stretches
        where (
            select true
            from durable.executions as pending
            where pending.queue = settings.queue
              and pending.state = 'pending'
              and pending.wake_at is null
              and pending.workflow = stretches.workflow
              and pending.concurrency_key is not null
            limit 1
        )
        order by wrapped, workflow
    loop
        for place, workflow, key, may_run, may_start, retry_at in
            with recursive visited as (
                select 0 as nth, stretch.after_key as key, 0 as may_run, 0 as may_start, null::timestamptz as retry_at, opened as opened
                union all
                select
                    visited.nth + 1,
                    next.key,
                    case when is_open then least(allowed.may_run, room) else 0 end,
                    allowed.may_start,
                    case when allowed.may_start <= 0 then allowed.retry_at end,
                    visited.opened + is_open::int
                from visited
                cross join lateral (
                    select pending.concurrency_key as key, pending.epoch > 0 as has_begun
                    from durable.executions as pending
                    where pending.queue = settings.queue
                      and pending.state = 'pending'
                      and pending.wake_at is null
                      and pending.workflow = stretch.workflow
                      and pending.concurrency_key > visited.key
                    order by pending.concurrency_key, (pending.epoch = 0), pending.rank, pending.execution_id
                    limit 1
                ) as next
                cross join lateral (
                    select
                        case
                            when stretch.key_limit is null then room
                            else stretch.key_limit - (
                                select count(*)
                                from durable.executions as running
                                where running.workflow = stretch.workflow
                                  and running.concurrency_key = next.key
                                  and running.state = 'running'
                            )::int
                        end as may_run,
                        least(
                            coalesce(starts_left, room),
                            settings.key_rate - coalesce(begun.starts, 0)
                        ) as may_start,
                        case when settings.key_rate <= begun.starts then begun.oldest_start + settings.key_rate_period end as retry_at
                    from (
                        select sum(begun.starts)::int as starts, min(begun.started_at) as oldest_start
                        from durable.queue_starts as begun
                        where begun.queue = settings.queue
                          and begun.key = next.key
                          and begun.started_at > at - settings.key_rate_period
                    ) as begun
                ) as allowed
                cross join lateral (
                    select allowed.may_run > 0 and (allowed.may_start > 0 or next.has_begun) and exists (
                        select from durable.executions as pending
                        where pending.queue = settings.queue
                          and pending.state = 'pending'
                          and pending.wake_at is null
                          and pending.workflow = stretch.workflow
                          and pending.concurrency_key = next.key
                          and pending.workflow || '@' || pending.version = any (labels)
                          and (pending.expires_at > at) is not false
                    ) as is_open
                ) as looked
                where visited.opened < room
                  and visits + visited.nth < most_visits
                  and (stretch.last_key is null or next.key <= stretch.last_key)
            )
            select visits + nth, stretch.workflow, visited.key, visited.may_run, visited.may_start, visited.retry_at
            from visited
            where nth > 0
        loop
            opened := opened + (may_run > 0)::int;
            return next;
        end loop;
        visits := coalesce(place, visits);
        exit when opened >= room or visits >= most_visits;
    end loop;
end
$$;
