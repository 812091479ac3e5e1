-- executions/resume: put the paused or stopped execution $1 back into its queue; return the queue.
select durable.resume($1) as queue
