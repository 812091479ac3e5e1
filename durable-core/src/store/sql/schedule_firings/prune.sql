-- schedule_firings/prune: upkeep: forget up to $3 firings, over $2 seconds old, of the schedules that start workflow $1: what was left out, or has ended
-- and is judged. Says how many.
with now as materialized (
    select present.at - make_interval(secs => $2) as before
    from durable.present
),
old as materialized (
    select schedule, due_at
    from durable.schedule_firings
    where schedule = any (array(select schedule from durable.schedules where workflow = $1))
      and due_at < (select before from now)
      -- One that was filled in for a time long ago is as young as that.
      and fired_at < (select before from now)
      and (outcome = 'skipped' or judged_at is not null)
      -- One that was filled in beforehand keeps its schedule from firing once more.
      and due_at < coalesce((
        select next_due_at
        from durable.schedules
        where schedules.schedule = schedule_firings.schedule
      ), 'infinity')
    limit $3
    for update skip locked
),
gone as (
    delete from durable.schedule_firings
    using old
    where schedule_firings.schedule = any (array(select schedule from old))
      and schedule_firings.due_at = any (array(select due_at from old))
      and schedule_firings.schedule = old.schedule
      and schedule_firings.due_at = old.due_at
    returning 1
)
select count(*) as gone
from gone
