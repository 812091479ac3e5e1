-- undoable: whether the execution, or a child that it waited for, did anything that can be undone.
create or replace function durable.undoable(execution_id uuid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from durable.checkpoints
        where checkpoints.execution_id = $1 and checkpoints.undo_order is not null
    ) or exists (
        select from durable.waits
        where waits.execution_id = $1 and waits.kind = 'child' and waits.payload ->> 'undoable' = 'true'
    )
    -- A child whose end the execution has not read. What children did before the execution continued as new is not undone.
    or exists (
        select from durable.executions as child
        where child.parent_id = $1
          and child.parent_policy = 'await'
          and child.state = 'completed'
          and child.undoes is null
          and child.by_compensation is not true
          and exists (
            select from durable.waits
            where waits.execution_id = child.parent_id and waits.key = child.parent_key and waits.child_id = child.execution_id
          )
          and durable.undoable(child.execution_id)
    )
$$;
