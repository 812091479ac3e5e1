-- attempts/record: record attempts, under way or failed, of executions that worker $1 holds; return the executions it holds.
with fence as materialized (
    select worker_id
    from durable.workers
    where worker_id = $1 and lost_at is null
    for key share
),
now as materialized (
    select at from durable.present
),
item as materialized (
    select *
    from unnest($2::uuid[], $3::int4[], $4::text[], $5::int2[], $6::float8[], $7::text[], $8::timestamptz[])
        as item (execution_id, epoch, key, attempt, took, error, retry_at)
),
held as materialized (
    select distinct item.execution_id
    from item, fence, durable.executions
    where executions.execution_id = any ($2)
      and executions.execution_id = item.execution_id
      and executions.epoch = item.epoch
      and executions.worker_id = fence.worker_id
      and executions.state = 'running'
),
recorded as (
    insert into durable.attempts (execution_id, started_at, finished_at, retry_at, attempt, key, error)
    select
        item.execution_id,
        now.at - make_interval(secs => item.took),
        case when item.error is not null then now.at end,
        item.retry_at,
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
