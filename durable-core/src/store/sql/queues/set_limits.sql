-- queues/set_limits: let $2 executions of queue $1 run at once, $3 begin in $4 seconds, and $5 of each key in $6 seconds.
select durable.set_queue_limits($1, $2, $3, make_interval(secs => $4), $5, make_interval(secs => $6))
