-- begin_rollback: turn an execution round that its worker still holds: its waits end, and its deadline no longer counts.
create or replace function durable.begin_rollback(shard smallint, worker_id uuid, execution_id uuid, epoch int, cause json)
returns boolean
language plpgsql volatile
as $$
#variable_conflict use_column
begin
    perform durable.lock_mailbox(begin_rollback.execution_id);
    perform from durable.workers as fence
    where fence.shard = begin_rollback.shard and fence.worker_id = begin_rollback.worker_id and fence.lost_at is null
    for key share;
    if not found then
        return false;
    end if;
    update durable.executions as execution
    set rollback = cause, deadline_at = null, claims = 0
    where execution.shard = begin_rollback.shard
      and execution.execution_id = begin_rollback.execution_id
      and execution.worker_id = begin_rollback.worker_id
      and execution.epoch = begin_rollback.epoch
      and execution.state = 'running';
    if not found then
        return false;
    end if;
    update durable.waits as waiting
    set outcome = 'cancelled', resolved_at = durable.now()
    where waiting.shard = begin_rollback.shard
      and waiting.execution_id = begin_rollback.execution_id
      and waiting.outcome is null;
    return true;
end
$$;
