-- queues/pause: stop claims from queue $1.
select durable.pause_queue($1)
