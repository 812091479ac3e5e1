-- doctor/find_troubles: what live workers have reported: tasks that panicked, and rows that they could not read.
select worker_id, host, process_id, troubles::text as troubles
from durable.workers
where lost_at is null and troubles is not null
order by worker_id
