-- expand: when a duty was last taken that was done to its end; null where none was since this column is there.
alter table durable.duties
add column done_at timestamptz;
