-- executions/count: how many executions pass every filter that is not null, by their states.
select shown.state, count(*) as executions
from durable.executions
cross join lateral (
    select case when finished_at is null and rollback is not null then 'compensating' else executions.state end as state
) as shown
where shard = $1
  and ($2::text[] is null or shown.state = any ($2))
  and ($3::text is null or workflow = $3)
  and ($12::int is null or version = $12)
  and ($4::text is null or queue = $4)
  and ($5::text is null or key = $5)
  and ($6::timestamptz is null or created_at >= $6)
  and ($7::timestamptz is null or created_at < $7)
  and execution_id >= coalesce($8::uuid, '00000000-0000-0000-0000-000000000000')
  and execution_id <= coalesce($9::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  and (not $10 or paused_at is not null and finished_at is null)
  and ($11::uuid is null or parent_id = $11)
group by shown.state
