-- attempts/record: write attempts, under way or failed, of executions that worker $2 holds; says whose were accepted.
with fence as materialized (
    select worker_id
    from durable.workers
    where shard = $1 and worker_id = $2 and lost_at is null
    for key share
),
now as materialized (
    select at from durable.present
),
item as materialized (
    select *
    from unnest($3::uuid[], $4::int4[], $5::text[], $6::int2[], $7::float8[], $8::text[], $9::timestamptz[])
        as item (execution_id, epoch, key, attempt, took, error, retry_at)
),
held as materialized (
    select distinct item.execution_id
    from item, fence, durable.executions
    where executions.shard = $1
      and executions.execution_id = any ($3)
      and executions.execution_id = item.execution_id
      and executions.epoch = item.epoch
      and executions.worker_id = fence.worker_id
      and executions.state = 'running'
),
recorded as (
    insert into durable.attempts (execution_id, started_at, finished_at, retry_at, shard, attempt, key, error)
    select
        item.execution_id,
        now.at - make_interval(secs => item.took),
        case when item.error is not null then now.at end,
        item.retry_at,
        $1,
        item.attempt,
        item.key,
        item.error::json
    from item
    join held using (execution_id)
    cross join now
    on conflict on constraint attempts_pkey do update
    set finished_at = excluded.finished_at,
        retry_at = excluded.retry_at,
        error = excluded.error
    where attempts.finished_at is null
)
select execution_id from held
