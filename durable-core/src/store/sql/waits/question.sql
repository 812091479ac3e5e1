-- waits/question: the schema of the open input $3 of execution $2 to which an answer would go.
select schema::text as schema
from durable.waits
where shard = $1
  and execution_id = $2
  and kind = 'input'
  and name = $3
  and outcome is null
  and (due_at is null or due_at > durable.now())
order by ordinal
limit 1
