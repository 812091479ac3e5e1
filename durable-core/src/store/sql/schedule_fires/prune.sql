-- schedule_fires/prune: upkeep: forget up to $3 fires, over $2 seconds old, of the schedules that start workflow $1: what was left out, or has ended
-- and is judged. Says how many.
with now as materialized (
    select present.at - make_interval(secs => $2) as before
    from durable.present
),
old as materialized (
    select schedule, due_at
    from durable.schedule_fires
    where schedule = any (array(select schedule from durable.schedules where workflow = $1))
      and due_at < (select before from now)
      -- One that was filled in for a time long ago is as young as that.
      and fired_at < (select before from now)
      and (outcome = 'skipped' or judged_at is not null)
      -- One that was filled in beforehand keeps its schedule from firing once more.
      and due_at < coalesce((
        select next_due_at
        from durable.schedules
        where schedules.schedule = schedule_fires.schedule
      ), 'infinity')
    limit $3
    for update skip locked
),
gone as (
    delete from durable.schedule_fires
    using old
    where schedule_fires.schedule = any (array(select schedule from old))
      and schedule_fires.due_at = any (array(select due_at from old))
      and schedule_fires.schedule = old.schedule
      and schedule_fires.due_at = old.due_at
    returning 1
)
select count(*) as gone
from gone
