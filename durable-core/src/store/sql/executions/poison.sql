-- executions/poison: give up execution $3, which worker $2 has claimed too often without it coming to rest, for the reason $5.
-- What it did is undone first where that can be; a rollback that kills its workers has failed.
with fate as (
    select
        case
            when rollback is not null then 'compensation_failed'
            when durable.undoable($1, $3) then 'pending'
            else 'failed'
        end as state,
        -- A rollback keeps the reason why it was begun; what ended it is added as a cause.
        case
            when rollback is null then $5::json
            else jsonb_set(
                rollback::jsonb, '{causes}', coalesce(rollback::jsonb -> 'causes', '[]') || jsonb_build_array($5::json ->> 'message')
            )::json
        end as reason
    from durable.executions
    where shard = $1 and execution_id = $3
),
moved as (
    update durable.executions
    set state = fate.state,
        epoch = case when fate.state = 'pending' then epoch + 1 else epoch end,
        claims = case when fate.state = 'pending' then 0 else claims end,
        deadline_at = case when fate.state = 'pending' then null else deadline_at end,
        rollback = case when fate.state = 'pending' then fate.reason else rollback end,
        error = case when fate.state <> 'pending' then fate.reason end,
        finished_at = case when fate.state <> 'pending' then present.at end
    from durable.present, fate
    where shard = $1
      and execution_id = $3
      and epoch = $4
      and worker_id = $2
      and executions.state = 'running'
    returning executions.state, queue, present.at
),
closed as (
    update durable.waits
    set outcome = 'cancelled', resolved_at = moved.at
    from moved
    where shard = $1 and execution_id = $3 and outcome is null
)
select state, queue
from moved
