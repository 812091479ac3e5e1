-- executions/start: create executions, as already claimed by worker $12 where $11 says so.
select item, execution_id, outcome
from durable.create_executions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    tags => $19)
order by item
