-- queues/pause: have nothing more claimed from queue $1.
select durable.pause_queue($1)
