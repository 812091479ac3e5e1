-- executions/prune: delete up to $7 executions with ids between $2 and $3 that ended over $4 seconds ago, and their journals; filters $5 and $6 may be null.
-- One whose parent is not as old stays, and so does one with a child that goes on. Says how many went, and the last id of them.
with old as materialized (
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
    order by execution_id
    limit $7
    for update of old skip locked
),
gone as (
    delete from durable.executions
    where shard = $1 and execution_id = any (array(select execution_id from old))
    returning execution_id
),
without_checkpoints as (
    delete from durable.checkpoints
    where shard = $1 and execution_id = any (array(select execution_id from old))
),
without_attempts as (
    delete from durable.attempts
    where shard = $1 and execution_id = any (array(select execution_id from old))
),
without_waits as (
    delete from durable.waits
    where shard = $1 and execution_id = any (array(select execution_id from old))
),
without_mailbox as (
    delete from durable.mailbox
    where shard = $1 and execution_id = any (array(select execution_id from old))
)
select count(*) as gone, (select execution_id from old order by execution_id desc limit 1) as last
from gone
