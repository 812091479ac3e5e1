-- executions/held: what worker $2 holds besides $3; claims whose answer was lost on the way.
select
    execution_id,
    epoch,
    workflow,
    version,
    queue,
    priority,
    claims,
    deadline_at,
    input::text as input,
    (
        select json_agg(json_build_object('key', waits.key, 'outcome', waits.outcome, 'payload', waits.payload))::text
        from durable.waits
        where waits.shard = $1 and waits.execution_id = executions.execution_id and waits.outcome is not null
    ) as resolved
from durable.executions
where shard = $1
  and worker_id = $2
  and state = 'running'
  and execution_id <> all ($3)
