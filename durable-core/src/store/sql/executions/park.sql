-- executions/park: register waits of executions that worker $1 holds, and park the executions whose waits are all open.
select execution_id, outcome, resolved::text as resolved, nullif(wake_at, 'infinity') as wake_at
from durable.park($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
