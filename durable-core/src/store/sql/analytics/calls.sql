-- analytics/calls: read: for each workflow and step or wait, how the calls with the keys $14 of the steps or waits $15 went, in
-- the executions that pass every filter that is not null.
with picked as materialized (
    select execution_id, workflow, created_at, finished_at
    from durable.shown_executions as shown
    where ($1::text[] is null or state = any ($1))
      and ($2::text is null or workflow = $2)
      and ($3::int is null or version = $3)
      and ($4::text is null or queue = $4)
      and ($5::text is null or key = $5)
      and ($6::timestamptz is null or created_at >= $6)
      and ($7::timestamptz is null or created_at < $7)
      and ($8::uuid is null or execution_id >= $8)
      and ($9::uuid is null or execution_id <= $9)
      and ($10::uuid is null or parent_id = $10)
      and ($13::bool is null or (archived_at is not null) = $13)
      and (
          -- An array, because the planner looks for its ids in the primary key.
          cardinality($11::text[]) = 0
          or execution_id = any (array (
              select tag.execution_id
              from unnest($11::text[], $12::text[]) as asked (name, value)
              join durable.execution_tags as tag using (name, value)
              group by tag.execution_id
              having count(*) = cardinality($11::text[])
          ))
      )
),
nodes as materialized (
    select key, node
    from unnest($14::text[], $15::text[]) as nodes (key, node)
),
tried as (
    select execution_id, key, min(attempts.started_at) as began_at, count(*) as attempts
    from picked
    join durable.attempts using (execution_id)
    group by execution_id, key
),
calls as materialized (
    select
        execution_id, workflow, created_at, picked.finished_at as execution_finished_at, key, ordinal,
        coalesce(tried.began_at, checkpoints.started_at) as began_at,
        checkpoints.finished_at - checkpoints.started_at as took,
        checkpoints.attempt - 1 as retries,
        checkpoints.error is not null as failed
    from picked
    join durable.checkpoints using (execution_id)
    left join tried using (execution_id, key)
    -- The checkpoint of a child that can be undone stands beside the wait for it.
    where not exists (
        select from durable.waits
        where waits.execution_id = picked.execution_id and waits.key = checkpoints.key
    )
    union all
    -- Steps that were tried and have not ended.
    select
        execution_id, workflow, created_at, picked.finished_at, key, null, tried.began_at, null,
        greatest(tried.attempts - 1, 0), false
    from tried
    join picked using (execution_id)
    where not exists (
        select from durable.checkpoints
        where checkpoints.execution_id = tried.execution_id and checkpoints.key = tried.key
    )
    union all
    select
        execution_id, workflow, created_at, picked.finished_at, waits.key, ordinal, waits.started_at,
        resolved_at - waits.started_at, 0, outcome in ('timed_out', 'cancelled')
    from picked
    join durable.waits using (execution_id)
),
known as materialized (
    select calls.*, node
    from calls
    join nodes using (key)
),
reached as (
    select workflow, node, execution_id, min(began_at) - min(created_at) as after
    from known
    group by workflow, node, execution_id
),
reach as (
    select
        workflow, node, count(*) as reached,
        extract(epoch from avg(after))::float8 as average_reach,
        (percentile_cont(0.5) within group (order by extract(epoch from after)))::float8 as median_reach
    from reached
    group by workflow, node
),
ran as (
    select
        workflow, node, count(*) as calls, sum(retries)::bigint as retries, count(*) filter (where failed) as failures,
        extract(epoch from avg(took))::float8 as average_run,
        (percentile_cont(0.5) within group (order by extract(epoch from took)))::float8 as median_run
    from known
    group by workflow, node
),
last_calls as (
    select distinct on (execution_id) workflow, node
    from known
    where execution_finished_at is not null
    order by execution_id, ordinal desc nulls first
),
ends as (
    select workflow, node, count(*) as ended
    from last_calls
    group by workflow, node
)
select
    workflow, node, reached, average_reach, median_reach, calls, retries, failures, average_run, median_run,
    coalesce(ended, 0) as ended
from reach
join ran using (workflow, node)
left join ends using (workflow, node)
order by workflow, average_reach, node
