-- queues/resume: have queue $1 claimed from again.
select durable.resume_queue($1)
