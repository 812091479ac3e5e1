-- executions/finish: as save, for one execution that ends or stops with at most one checkpoint; no arrays to take apart.
with fence as materialized (
    select worker_id
    from durable.workers
    where worker_id = $1 and lost_at is null
    for key share
),
now as materialized (
    select at from durable.present
),
moved as (
    update durable.executions
    set state = $4,
        output = $5::json,
        error = $6::json,
        claims = 0,
        wake_at = case
            when $4 = 'pending' and paused_at is not null then 'infinity'::timestamptz
            -- One that is stopped is woken by its deadline; one that is stopped again behind it is not.
            when $4 = 'waiting' and deadline_at > now.at then deadline_at
        end,
        finished_at = case when $4 not in ('pending', 'running', 'waiting') then now.at end
    from fence, now
    where executions.execution_id = $2
      and executions.epoch = $3
      and executions.worker_id = fence.worker_id
      and executions.state = 'running'
    returning executions.execution_id, now.at
),
saved as (
    insert into durable.checkpoints (
        execution_id, digest, started_at, finished_at, attempt, undo_order, key, output, error
    )
    select $2, $8, moved.at - make_interval(secs => $10), moved.at, $9, $13, $7, $11::json, $12::json
    from moved
    where $7::text is not null
)
select execution_id from moved
