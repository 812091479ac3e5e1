-- step_logs/list: read: what the attempts at the steps of execution $1 logged, or only those at the step with the key $2.
select key, attempt, left_out, lines::text as lines
from durable.step_logs
where execution_id = $1
  and ($2::text is null or key = $2)
order by lines -> 0 ->> 'at', key, attempt, epoch
