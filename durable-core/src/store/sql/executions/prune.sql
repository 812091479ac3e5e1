-- executions/prune: upkeep: delete up to $6 executions with ids between $1 and $2 that ended over $3 seconds ago, and their journals; filters $4 and $5 may be null.
-- One stays that has a child that goes on, or anybody above it, or gone on from those, who has not ended that long ago. Says how many went, and the last id looked at.
with recursive limits as materialized (
    select present.at - make_interval(secs => $3) as ended_before
    from durable.present
),
candidate as materialized (
    select execution_id
    from durable.executions as candidate
    -- Ids tell when they were made, which spares an index of ends.
    where execution_id > $1
      and execution_id < $2
      and finished_at < (select ended_before from limits)
      and ($4::text is null or workflow = $4)
      and ($5::text[] is null or state = any ($5))
      and (
        select child.execution_id
        from durable.executions as child
        where child.parent_id = candidate.execution_id and child.finished_at is null
        limit 1
      ) is null
      and (
        -- How it ended is counted when its schedule is due again.
        select fire.execution_id
        from durable.schedule_fires as fire
        where fire.schedule = any (array(select schedule from durable.schedules where enabled and next_due_at is not null))
          and fire.schedule = candidate.schedule
          and fire.due_at = candidate.scheduled_for
          and fire.execution_id = candidate.execution_id
          and fire.judged_at is null
        limit 1
      ) is null
    order by execution_id
    limit $6
    for update skip locked
),
-- It, those above it, and what goes on from any of them, up to one that still needs it: a rollback may come down to what it did.
line (execution_id, above, is_needed) as (
    select execution_id, execution_id, false
    from candidate
    union all
    select line.execution_id, next.above, next.is_needed
    from line
    cross join limits
    cross join lateral (
        select one.parent_id as above, (one.finished_at < limits.ended_before) is not true as is_needed
        from durable.executions as one
        where one.execution_id = line.above
        union all
        -- What goes on from one of them has its checkpoints.
        select fork.execution_id, false
        from durable.executions as fork
        where fork.forked_from = line.above
    ) as next
    where line.above is not null and not line.is_needed
),
old as materialized (
    select execution_id
    from candidate
    where execution_id <> all (array(select execution_id from line where is_needed))
),
gone as (
    delete from durable.executions
    where execution_id = any (array(select execution_id from old))
    returning execution_id
),
without_checkpoints as (
    delete from durable.checkpoints
    where execution_id = any (array(select execution_id from old))
),
without_attempts as (
    delete from durable.attempts
    where execution_id = any (array(select execution_id from old))
),
without_waits as (
    delete from durable.waits
    where execution_id = any (array(select execution_id from old))
),
without_refusals as (
    delete from durable.refusals
    where execution_id = any (array(select execution_id from old))
),
without_mailbox as (
    delete from durable.mailbox
    where execution_id = any (array(select execution_id from old))
)
select
    (select count(*) from gone) as gone,
    (select execution_id from candidate order by execution_id desc limit 1) as last
