-- archive: hide an execution that has ended or waits from lists. It is still found by its id, and one that waits goes on as before.
-- Returns since when it is archived; archiving twice is not an error.
create or replace function durable.archive(execution_id uuid) returns timestamptz
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    target record;
begin
    update durable.executions
    set archived_at = coalesce(archived_at, durable.now())
    where execution_id = archive.execution_id and (finished_at is not null or state = 'waiting')
    returning archived_at into target;
    if found then
        return target.archived_at;
    end if;
    select state into target
    from durable.executions
    where execution_id = archive.execution_id;
    if target is null then
        raise exception 'there is no execution %', archive.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
    raise exception 'execution % is %, and only what has ended or waits is archived', archive.execution_id, target.state
    using errcode = 'UD409', hint = 'archive it when it waits or has ended, or cancel it first';
end
$$;
