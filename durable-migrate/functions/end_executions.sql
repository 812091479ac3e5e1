-- end_executions: end executions without an output, and their open waits; one row for each of them. The caller has locked their rows
-- and, unless they never began and so have no waits, their mailboxes.
-- `awaited_by` is the parent that is still to be notified; a parent that ends in the same call is not. Two statements that
-- every execution needs set a final state themselves, because a call would cost more than the update: `executions/save` and
-- `executions/finish`. Nothing else does.
create or replace function durable.end_executions(execution_ids uuid[], ended_as text, errors json[], at timestamptz)
returns table (id uuid, state text, queue text, awaited_by uuid)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform durable.resolve_waits(execution_ids, null, 'cancelled', end_executions.at);
    return query
    update durable.executions
    set state = ended_as,
        error = ended.error,
        wake_at = null,
        expires_at = null,
        finished_at = end_executions.at,
        parent_notified_at = case
            when parent_policy = 'await' and parent_id = any (execution_ids) then end_executions.at
        end
    from unnest(execution_ids, errors) as ended (execution_id, error)
    where executions.execution_id = any (execution_ids)
      and executions.execution_id = ended.execution_id
      and finished_at is null
    returning
        executions.execution_id,
        executions.state,
        executions.queue,
        case when parent_policy = 'await' and parent_notified_at is null then parent_id end;
end
$$;
