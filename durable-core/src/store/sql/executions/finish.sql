-- executions/finish: as save, for one execution that ends or stops with at most one checkpoint; no arrays to take apart.
with fence as materialized (
    select worker_id
    from durable.workers
    where shard = $1 and worker_id = $2 and lost_at is null
    for key share
),
now as materialized (
    select at from durable.present
),
moved as (
    update durable.executions
    set state = $5,
        output = $6::json,
        error = $7::json,
        claims = 0,
        wake_at = case
            when $5 = 'pending' and paused_at is not null then 'infinity'::timestamptz
            -- One that is stopped is woken by its deadline; one that is stopped again behind it is not.
            when $5 = 'waiting' and deadline_at > now.at then deadline_at
        end,
        finished_at = case when $5 not in ('pending', 'running', 'waiting') then now.at end
    from fence, now
    where executions.shard = $1
      and executions.execution_id = $3
      and executions.epoch = $4
      and executions.worker_id = fence.worker_id
      and executions.state = 'running'
    returning executions.execution_id, now.at
),
saved as (
    insert into durable.checkpoints (
        execution_id, digest, started_at, finished_at, shard, attempt, undo_order, key, output, error
    )
    select $3, $9, moved.at - make_interval(secs => $11), moved.at, $1, $10, $14, $8, $12::json, $13::json
    from moved
    where $8::text is not null
    on conflict do nothing
)
select execution_id from moved
