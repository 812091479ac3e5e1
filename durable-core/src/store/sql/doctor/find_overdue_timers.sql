-- doctor/find_overdue_timers: how many timers were due over $1 seconds ago and were taken by no worker, and when the oldest was due.
select count(*) as executions, min(wake_at) as since
from durable.executions
cross join durable.present
where wake_at < present.at - make_interval(secs => $1)
