-- expand: let workers report what goes wrong in their process: tasks of the engine that panicked, and rows that cannot be read.
alter table durable.workers
    add column troubles json;
