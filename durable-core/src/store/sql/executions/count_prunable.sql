-- executions/count_prunable: how many executions `prune` would delete with these filters.
select count(*) as prunable
from (
    select execution_id
    from durable.executions as old, durable.present
    where shard = $1
      -- Ids tell when they were made, which spares an index of ends; a day makes up for clocks that differ.
      and execution_id > $2
      and execution_id < $3
      and finished_at < present.at - make_interval(secs => $4)
      and ($5::text is null or workflow = $5)
      and ($6::text[] is null or state = any ($6))
      and (
        select parent.execution_id
        from durable.executions as parent
        where parent.shard = $1
          and parent.execution_id = old.parent_id
          and (parent.finished_at is null or parent.finished_at >= present.at - make_interval(secs => $4))
        limit 1
      ) is null
      and (
        select child.execution_id
        from durable.executions as child
        where child.shard = $1 and child.parent_id = old.execution_id and child.finished_at is null
        limit 1
      ) is null
) as prunable
