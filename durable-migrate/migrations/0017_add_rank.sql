-- expand: an execution has a rank, by which it is claimed, and may have a concurrency key, whose executions take turns.
alter table durable.executions
    add column rank timestamptz,
    add column concurrency_key text;

update durable.executions
set rank = coalesce(wake_at, created_at) - make_interval(mins => priority)
where finished_at is null;

alter table durable.executions
    add constraint pending_executions_have_a_rank check (state <> 'pending' or rank is not null),
    add constraint concurrency_key_is_not_empty check (concurrency_key <> '');

create index executions_by_rank
on durable.executions (shard, queue, rank, execution_id)
where state = 'pending' and wake_at is null and concurrency_key is null;

-- What has begun stands before what has not: a key that may begin nothing now goes on with these.
create index executions_by_turn
on durable.executions (shard, queue, workflow, concurrency_key, (epoch = 0), rank, execution_id)
where state = 'pending' and wake_at is null and concurrency_key is not null;

create index executions_begun
on durable.executions (shard, queue, rank, execution_id)
where state = 'pending' and wake_at is null and concurrency_key is null and epoch > 0;

create index executions_running_by_key
on durable.executions (shard, workflow, concurrency_key)
where state = 'running' and concurrency_key is not null;
