-- queues/resume: allow claims from queue $1 again.
select durable.resume_queue($1)
