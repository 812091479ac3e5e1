-- expand: why an execution is being rolled back, whose steps it undoes, and in which order steps that can be undone were completed.
alter table durable.executions
    add column rollback json,
    add column undoes uuid,
    add column rested_at timestamptz;

alter table durable.checkpoints
    add column undo_order int;
