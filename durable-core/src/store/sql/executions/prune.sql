-- executions/prune: upkeep: delete up to $6 executions with ids between $1 and $2 that ended over $3 seconds ago, and their
-- journals; filters $4 and $5 may be null. An execution is kept while a child of it continues, and until its ancestors, and their
-- retries and forks, have ended that long ago. Returns how many were deleted, and the last id that was read.
with limits as materialized (
    select present.at - make_interval(secs => $3) as ended_before
    from durable.present
),
candidate as materialized (
    select execution_id
    from durable.prunable_executions
    -- Ids tell when they were made, which spares an index of ends.
    where execution_id > $1
      and execution_id < $2
      and finished_at < (select ended_before from limits)
      and ($4::text is null or workflow = $4)
      and ($5::text[] is null or state = any ($5))
    order by execution_id
    limit $6
    for update skip locked
),
old as materialized (
    select execution_id
    from candidate
    where execution_id <> all (
        array(
            select durable.still_needed(array(select execution_id from candidate), (select ended_before from limits))
        )
    )
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
without_values as (
    delete from durable.execution_values
    where execution_id = any (array(select execution_id from old))
),
without_history as (
    delete from durable.node_history
    where execution_id = any (array(select execution_id from old))
),
without_tags as (
    delete from durable.execution_tags
    where execution_id = any (array(select execution_id from old))
),
without_edits as (
    delete from durable.journal_edits
    where execution_id = any (array(select execution_id from old))
),
without_attempts as (
    delete from durable.attempts
    where execution_id = any (array(select execution_id from old))
),
without_step_logs as (
    delete from durable.step_logs
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
without_past_messages as (
    delete from durable.past_messages
    where execution_id = any (array(select execution_id from old))
),
without_closed_events as (
    delete from durable.closed_events
    where execution_id = any (array(select execution_id from old))
),
without_mailbox as (
    delete from durable.mailbox
    where execution_id = any (array(select execution_id from old))
)
select
    (select count(*) from gone) as gone,
    (select execution_id from candidate order by execution_id desc limit 1) as last
