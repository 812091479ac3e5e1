-- has_pending: whether anything in a queue could be claimed now.
create or replace function durable.has_pending(shard smallint, queue text) returns boolean
language plpgsql stable
as $$
begin
    return exists (
        select from durable.executions as unkeyed
        where unkeyed.shard = $1
          and unkeyed.queue = $2
          and unkeyed.state = 'pending'
          and unkeyed.wake_at is null
          and unkeyed.concurrency_key is null
    ) or exists (
        select from durable.executions as keyed
        where keyed.shard = $1
          and keyed.queue = $2
          and keyed.state = 'pending'
          and keyed.wake_at is null
          and keyed.concurrency_key is not null
    );
end
$$;
