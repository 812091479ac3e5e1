-- fire_schedules: fire schedules for the due times that were found, and say when they are due next; each due time once, however many workers try.
-- Leaves alone what is not as it was when that was found: of another revision, due at another time, disabled, in other hands.
-- Returns what started, with its queue, and what was cancelled to make room, with the parent that is still to be notified.
create or replace function durable.fire_schedules(
    names text[],
    revisions int[],
    were_due_ats timestamptz[],
    next_due_ats timestamptz[],
    due_names text[],
    due_ats timestamptz[],
    start_ats timestamptz[]
) returns table (schedule text, due_at timestamptz, outcome text, execution_id uuid, queue text, awaited_by uuid)
language plpgsql volatile
-- Planned anew each time: rare, and a batch of many looks nothing like the one that a connection happened to see first.
set plan_cache_mode = force_custom_plan
set enable_nestloop = on
set enable_sort = on
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    at timestamptz;
    ready text[];
    in_the_way uuid[];
begin
    select present.at into at from durable.present;

    with locked as materialized (
        select schedule, revision, next_due_at
        from durable.schedules
        where schedule = any (names) and enabled
        for no key update skip locked
    )
    select coalesce(array_agg(schedule), '{}') into ready
    from unnest(names, revisions, were_due_ats) as found (schedule, revision, was_due_at)
    join locked using (schedule, revision)
    where locked.next_due_at is not distinct from found.was_due_at;

    perform durable.judge_firings(ready, at);
    select coalesce(array_agg(schedule), '{}') into ready
    from durable.schedules
    where schedule = any (ready) and enabled;

    select array_agg(execution_id) into in_the_way
    from durable.schedule_firings
    join durable.schedules using (schedule)
    where schedule = any (ready)
      and schedule = any (due_names)
      and overlap = 'cancel'
      and outcome = 'started'
      and judged_at is null
      -- A time that was filled in beforehand starts nothing now.
      and exists (
        select from unnest(due_names, due_ats) as due (name, due_at)
        where due.name = schedule_firings.schedule
          and not exists (
            select from durable.schedule_firings as filled
            where filled.schedule = due.name and filled.due_at = due.due_at
          )
      );
    if in_the_way is not null then
        return query
        select null::text, null::timestamptz, 'cancelled', id, queue, awaited_by
        from durable.cancel_families(in_the_way, durable.failure('cancelled', 'its schedule is due again'), wait => false);
        -- One with a message on its way cannot be cancelled now: its schedule is left for the next look.
        select coalesce(array_agg(name), '{}') into ready
        from unnest(ready) as name
        where name <> all (array(
            select schedule
            from durable.executions
            where execution_id = any (in_the_way)
              and finished_at is null
              and rollback is null
        ));
    end if;

    update durable.schedules
    set next_due_at = found.next_due_at
    from unnest(names, next_due_ats) as found (schedule, next_due_at)
    where schedules.schedule = any (ready)
      and schedules.schedule = found.schedule
      and schedules.next_due_at is distinct from found.next_due_at;

    return query
    select firing.schedule, firing.due_at, firing.outcome, firing.execution_id, schedules.queue, null::uuid
    from durable.start_firings(ready, due_names, due_ats, start_ats, 'due', at) as firing
    join durable.schedules on schedules.schedule = firing.schedule
    where schedules.schedule = any (ready);
end
$$;
