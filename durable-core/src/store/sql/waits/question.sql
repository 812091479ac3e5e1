-- waits/question: the schema of the open input $2 of execution $1 to which an answer would go.
select schema::text as schema
from durable.waits
where execution_id = $1
  and kind = 'input'
  and name = $2
  -- So that the index of open inputs does not fit, in which all open inputs would be read.
  and coalesce(outcome, 'open') = 'open'
  and (due_at is null or due_at > durable.now())
order by ordinal
limit 1
