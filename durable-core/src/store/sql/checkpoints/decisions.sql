-- checkpoints/decisions: what execution $1 recorded under the keys $2 of calls of branches.
select key, output::text as output
from durable.checkpoints
where execution_id = $1
  and key = any ($2)
  and output is not null
