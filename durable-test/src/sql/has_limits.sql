-- has_limits: whether the queue $1 limits how many of its executions run or begin.
select exists (
    select from durable.queues
    where queue = $1 and (concurrency is not null or rate is not null or key_rate is not null)
)
