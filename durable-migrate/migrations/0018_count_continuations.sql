-- expand: executions that continue as new. Both columns are null if it never has, and are written by `continue_as_new`.
alter table durable.executions
    -- How often it has continued as new.
    add column continuations int,
    -- The input that it continued with: a claim gives this to the workflow. `input` stays what it was started with, because a start with the
    -- same key compares it.
    add column continued_with json;
