-- open_names: the names of the events or inputs that an execution waits for now, at most 100 of them.
create or replace function durable.open_names(execution_id uuid, kind text) returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select array(
        select distinct open.name
        from durable.waits
        cross join lateral unnest(coalesce(waits.names, array[waits.name])) as open (name)
        where waits.execution_id = $1
          and waits.kind = $2
          and waits.outcome is null
          and (waits.due_at is null or waits.due_at > durable.now())
        order by open.name
        limit 100
    )
$$;
