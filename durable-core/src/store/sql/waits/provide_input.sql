-- waits/provide_input: answer input $2 of execution $1 for the person $5.
select outcome, woken_queue, open_names
from durable.provide_input($1, $2, $3::pg_catalog.json, $4, $5)
