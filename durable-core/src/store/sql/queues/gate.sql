-- queues/gate: read: since when queue $1 is paused, how many of its executions may run at once, and how many do.
select
    settings.paused_at,
    settings.concurrency,
    (select count(*) from durable.executions where state = 'running' and queue = asked.queue) as running
from (select $1::text as queue) as asked
left join durable.queues as settings on settings.queue = asked.queue
