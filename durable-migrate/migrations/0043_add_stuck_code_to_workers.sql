-- expand: since when the runtime of a worker does not answer, and the executions whose code does not return; written with a heartbeat.
alter table durable.workers
add column unresponsive_since timestamptz,
add column stuck_executions uuid[] not null default '{}';
