-- still_needed: those of the executions that a later rollback may still undo: an ancestor, or a retry or fork of one, had not ended
-- before this time.
create or replace function durable.still_needed(execution_ids uuid[], ended_before timestamptz) returns setof uuid
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive line (execution_id, above, is_needed) as (
        select id, id, false
        from unnest($1) as id
        union all
        select line.execution_id, next.above, next.is_needed
        from line
        cross join lateral (
            select one.parent_id as above, (one.finished_at < $2) is not true as is_needed
            from durable.executions as one
            where one.execution_id = line.above
            union all
            -- A retry or a fork of one of them has its checkpoints.
            select fork.execution_id, false
            from durable.executions as fork
            where fork.forked_from = line.above
        ) as next
        where line.above is not null and not line.is_needed
    )
    select distinct line.execution_id
    from line
    where is_needed
$$;
