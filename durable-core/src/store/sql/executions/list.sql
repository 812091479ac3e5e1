-- executions/list: executions that pass every filter that is not null, newest first, after the cursor $8.
select
    execution_id, workflow, version, queue, priority, key, state, epoch,
    input::text as input, output::text as output, error::text as error,
    created_at, started_at, wake_at, deadline_at, finished_at
from durable.executions
where shard = $1
  and ($2::text[] is null or state = any ($2))
  and ($3::text is null or workflow = $3)
  and ($4::text is null or queue = $4)
  and ($5::text is null or key = $5)
  and ($6::timestamptz is null or created_at >= $6)
  and ($7::timestamptz is null or created_at < $7)
  and execution_id < coalesce($8::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
order by execution_id desc
limit $9
