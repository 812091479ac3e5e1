-- expand: find the children that still run by their parent, whom the end of a parent ends too.
create index executions_unfinished_children
on durable.executions (shard, parent_id)
where parent_id is not null and finished_at is null;
