-- continue_as_new: begin an execution anew that its worker still holds: with another input, an empty journal and the next epoch,
-- under the same id. Its mailbox, values, deadline and children stay; events that it had closed are open again. Returns the new
-- epoch, and whether the execution is paused; no row if it is not held. Called again after a lost answer, it finds its own
-- namespace, which no other continuation has.
create or replace function durable.continue_as_new(
    worker_id uuid,
    execution_id uuid,
    epoch int,
    input json,
    namespace uuid,
    dropped_keys text[],
    refused_keys text[],
    refused_message_ids uuid[],
    refused_reasons text[]
) returns table (new_epoch int, is_paused boolean)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    -- Longer than any sender goes on sending a message again.
    longest_retry constant interval := '1 hour';
    this constant uuid := continue_as_new.execution_id;
    at timestamptz;
begin
    -- No message comes in between the waits and the mailbox.
    perform durable.lock_mailbox(this);
    select present.at into at from durable.present;
    perform from durable.workers as fence
    where fence.worker_id = continue_as_new.worker_id and fence.lost_at is null
    for key share;
    if not found then
        return;
    end if;

    return query
    select execution.epoch, execution.paused_at is not null
    from durable.executions as execution
    where execution.execution_id = this
      and execution.worker_id = continue_as_new.worker_id
      and execution.epoch = continue_as_new.epoch + 1
      and execution.namespace = continue_as_new.namespace
      and execution.state = 'running';
    if found then
        return;
    end if;

    if continue_as_new.epoch >= 2147483646 then
        raise exception 'execution % was claimed and continued % times', this, continue_as_new.epoch
        using errcode = 'UD409', hint = 'start a new execution with the next input';
    end if;
    update durable.executions as execution
    set continued_with = continue_as_new.input,
        namespace = continue_as_new.namespace,
        epoch = execution.epoch + 1,
        -- As after a claim: if this worker dies, the next claim is one after a crash.
        claims = 1,
        continuations = coalesce(execution.continuations, 0) + 1
    where execution.execution_id = this
      and execution.worker_id = continue_as_new.worker_id
      and execution.epoch = continue_as_new.epoch
      and execution.state = 'running'
      and execution.rollback is null
    returning execution.epoch, execution.paused_at is not null into new_epoch, is_paused;
    if not found then
        return;
    end if;

    if cardinality(refused_keys) > 0 then
        perform durable.refuse_messages(
            array[this], array_fill(this, array[cardinality(refused_keys)]), refused_keys, refused_message_ids, refused_reasons, at
        );
    end if;
    if cardinality(dropped_keys) > 0 then
        perform durable.drop_waits(array[this], array_fill(this, array[cardinality(dropped_keys)]), dropped_keys, at);
    end if;

    insert into durable.past_messages (execution_id, message_id, forgotten_at)
    select waits.execution_id, waits.message_id, at
    from durable.waits
    where waits.execution_id = this
      and waits.message_id is not null
      and waits.kind in ('event', 'input')
    on conflict do nothing;
    delete from durable.past_messages
    where past_messages.execution_id = this and past_messages.forgotten_at < at - longest_retry;

    delete from durable.checkpoints where checkpoints.execution_id = this;
    delete from durable.attempts where attempts.execution_id = this;
    delete from durable.waits where waits.execution_id = this;
    delete from durable.closed_events where closed_events.execution_id = this;
    delete from durable.journal_edits where journal_edits.execution_id = this;
    -- What the last steps logged may be kept later than this. The next continuation deletes it.
    delete from durable.step_logs where step_logs.execution_id = this;
    return next;
end
$$;
