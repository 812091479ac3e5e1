-- executions/unarchive: show execution $1 in lists again.
select durable.unarchive($1)
