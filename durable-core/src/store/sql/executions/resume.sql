-- executions/resume: put the stopped execution $1 back into its queue; says which.
select durable.resume($1) as queue
