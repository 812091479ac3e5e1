-- unarchive: show an execution in lists again; not an error if it is not archived.
create or replace function durable.unarchive(execution_id uuid) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    update durable.executions
    set archived_at = null
    where execution_id = unarchive.execution_id;
    if not found then
        raise exception 'there is no execution %', unarchive.execution_id
        using errcode = 'UD404', hint = 'check the id and the schema';
    end if;
end
$$;
