-- waits/question: the schema of the open input $2 of execution $1 that an answer would go to.
select schema::text as schema
from durable.waits
where execution_id = $1
  and kind = 'input'
  and name = $2
  -- This keeps the planner from the index of open inputs, in which it would read all open inputs.
  and coalesce(outcome, 'open') = 'open'
  and (due_at is null or due_at > durable.now())
order by ordinal
limit 1
