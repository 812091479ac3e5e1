-- expand: how often an execution has continued as new.
-- Null if it never has. Written by `continue_as_new`.
alter table durable.executions add column continuations int;
