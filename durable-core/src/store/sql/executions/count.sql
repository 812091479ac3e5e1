-- executions/count: how many executions pass every filter that is not null, by their states.
select shown.state, count(*) as executions
from durable.executions
cross join lateral (
    select case when finished_at is null and rollback is not null then 'compensating' else executions.state end as state
) as shown
where ($1::text[] is null or shown.state = any ($1))
  and ($2::text is null or workflow = $2)
  and ($11::int is null or version = $11)
  and ($3::text is null or queue = $3)
  and ($4::text is null or key = $4)
  and ($5::timestamptz is null or created_at >= $5)
  and ($6::timestamptz is null or created_at < $6)
  and execution_id >= coalesce($7::uuid, '00000000-0000-0000-0000-000000000000')
  and execution_id <= coalesce($8::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  and (not $9 or paused_at is not null and finished_at is null)
  and ($10::uuid is null or parent_id = $10)
group by shown.state
