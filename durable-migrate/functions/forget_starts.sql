-- forget_starts: delete those starts from a queue's log that are too old to count for a rate.
create or replace function durable.forget_starts(settings durable.queues, at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    delete from durable.queue_starts as begun
    where begun.queue = settings.queue
      and begun.key = ''
      and begun.started_at <= forget_starts.at - settings.rate_period;
    delete from durable.queue_starts as begun
    where begun.queue = settings.queue
      and begun.key <> ''
      and begun.started_at <= forget_starts.at - settings.key_rate_period;
end
$$;
