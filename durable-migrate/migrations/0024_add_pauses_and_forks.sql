-- expand: since when an execution is to go no further, and whose journal it took over when it began.
alter table durable.executions
    add column paused_at timestamptz,
    add column forked_from uuid;
