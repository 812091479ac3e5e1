-- expand: hide executions from lists.
alter table durable.executions
    -- Since when lists do not show it, written by `archive` and by the worker of a graph; null if they do.
    add column archived_at timestamptz;
