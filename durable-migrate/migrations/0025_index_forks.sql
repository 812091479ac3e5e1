-- expand: find the executions that took over the journal of another.
create index executions_by_origin
on durable.executions (shard, forked_from)
where forked_from is not null;
