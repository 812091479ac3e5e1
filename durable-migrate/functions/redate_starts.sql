-- redate_starts: set those starts in a queue's log that are later than now to now.
-- They were logged before the clock was set back. Otherwise they would hold a rate back until the clock has reached them again.
create or replace function durable.redate_starts(queue text, counted_at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    with redated_starts as (
        delete from durable.queue_starts as begun
        where begun.queue = redate_starts.queue and begun.key = '' and begun.started_at > redate_starts.counted_at
        returning begun.key, begun.starts
    ),
    redated_starts_of_keys as (
        delete from durable.queue_starts as begun
        where begun.queue = redate_starts.queue and begun.key <> '' and begun.started_at > redate_starts.counted_at
        returning begun.key, begun.starts
    )
    insert into durable.queue_starts as begun (queue, key, started_at, starts)
    select redate_starts.queue, redated.key, redate_starts.counted_at, sum(redated.starts)
    from (
        select key, starts from redated_starts
        union all
        select key, starts from redated_starts_of_keys
    ) as redated
    group by redated.key
    on conflict on constraint queue_starts_pkey do update
    set starts = begun.starts + excluded.starts;
end
$$;
