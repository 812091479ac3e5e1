-- lost_holders: the ids of lost workers under which executions run: a worker is lost if it was declared so, or has no row.
-- Reads one index entry for each worker that lives and for each id that it returns, however many executions run.
create or replace function durable.lost_holders() returns setof uuid
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    -- Between the ids of two workers that live, in the order of the index, stand only executions of lost workers.
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
