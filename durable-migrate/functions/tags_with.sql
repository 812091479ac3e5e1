-- tags_with: the tags of an execution together with others, which win. Null for none.
create or replace function durable.tags_with(execution_id uuid, others json) returns json
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select json_object_agg(name, value order by name)
    from (
        select name, value
        from durable.execution_tags
        where execution_tags.execution_id = tags_with.execution_id
          and (others is null or others ->> name is null)
        union all
        select key, value
        from json_each_text(others)
    ) as tag
$$;
