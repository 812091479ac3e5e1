-- executions/count_prunable: how many executions `prune` would delete with these filters.
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
)
select (select count(*) from candidate) - (select count(distinct execution_id) from line where is_needed) as prunable
