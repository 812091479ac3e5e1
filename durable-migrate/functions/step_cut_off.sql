-- step_cut_off: whether an execution runs a step for its parent, and has begun it: given up, it is undone as the step would be.
create or replace function durable.step_cut_off(shard smallint, execution_id uuid) returns boolean
language sql stable
as $$
    select exists (
        select from durable.executions
        where executions.shard = $1
          and executions.execution_id = $2
          and executions.parent_key ~ '(^|/)child step '
          and executions.undoes is null
    ) and durable.cut_off($1, $2)
$$;
