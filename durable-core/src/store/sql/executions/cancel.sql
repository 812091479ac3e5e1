-- executions/cancel: end execution $1 for the reason $2.
select durable.cancel($1, $2)
