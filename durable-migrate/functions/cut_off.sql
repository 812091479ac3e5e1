-- cut_off: whether a step of an execution began and has no outcome. Such a step may have to be undone.
create or replace function durable.cut_off(execution_id uuid) returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select exists (
        select from durable.attempts
        where attempts.execution_id = $1
          and (
            select checkpoints.key
            from durable.checkpoints
            where checkpoints.execution_id = $1 and checkpoints.key = attempts.key
            limit 1
          ) is null
    )
$$;
