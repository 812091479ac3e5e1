-- lost_holders: the ids of lost workers that still hold running executions. A worker is lost if it was declared lost, or has no row.
-- The function reads one index entry for each live worker and for each id that it returns, however many executions run.
create or replace function durable.lost_holders() returns setof uuid
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    -- In the order of the index, only executions of lost workers are between the ids of two live workers.
    with recursive gap as materialized (
        select worker_id as above, lead(worker_id) over (order by worker_id) as below
        from (
            select worker_id
            from durable.workers
            where lost_at is null
            union all
            values ('00000000-0000-0000-0000-000000000000'::uuid), ('ffffffff-ffff-ffff-ffff-ffffffffffff')
        ) as living
    ),
    holder as (
        select first.worker_id, gap.below
        from gap
        cross join lateral (
            select executions.worker_id
            from durable.executions
            where executions.state = 'running'
              and executions.worker_id > gap.above
              and executions.worker_id < gap.below
            order by executions.worker_id
            limit 1
        ) as first
        union all
        select next.worker_id, holder.below
        from holder
        cross join lateral (
            select executions.worker_id
            from durable.executions
            where executions.state = 'running'
              and executions.worker_id > holder.worker_id
              and executions.worker_id < holder.below
            order by executions.worker_id
            limit 1
        ) as next
    )
    select worker_id from holder
$$;
