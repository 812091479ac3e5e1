-- check_tags: refuse tags that the Rust client refuses; return them with each name once. Null for none. `model/tag.rs` has the
-- same rules.
create or replace function durable.check_tags(tags json) returns json
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    tag record;
    tag_count int := 0;
begin
    if tags is null or tags::text = 'null' then
        return null;
    end if;
    if json_typeof(tags) <> 'object' then
        raise exception 'the tags of an execution are a JSON %', json_typeof(tags)
        using errcode = 'UD422', hint = 'give an object of texts, as in {"tenant": "acme"}';
    end if;
    for tag in select key, value from jsonb_each(tags::jsonb) loop
        tag_count := tag_count + 1;
        if octet_length(tag.key) not between 1 and 100 then
            raise exception 'the name of a tag has % bytes: `%`', octet_length(tag.key), left(tag.key, 100)
            using errcode = 'UD422', hint = 'give 1 to 100 bytes';
        end if;
        if jsonb_typeof(tag.value) <> 'string' then
            raise exception 'the tag `%` is a JSON %', tag.key, jsonb_typeof(tag.value)
            using errcode = 'UD422', hint = 'give a text, as in {"tenant": "acme"}';
        end if;
        if octet_length(tag.value #>> '{}') not between 1 and 500 then
            raise exception 'the tag `%` has % bytes', tag.key, octet_length(tag.value #>> '{}')
            using errcode = 'UD422', hint = 'give 1 to 500 bytes';
        end if;
        perform durable.check_name(format('the name of the tag `%s`', tag.key), tag.key);
        perform durable.check_name(format('the tag `%s`', tag.key), tag.value #>> '{}');
    end loop;
    if tag_count > 32 then
        raise exception 'an execution with % tags', tag_count
        using errcode = 'UD422', hint = 'give at most 32, and put what nobody searches for into the input';
    end if;
    return case when tag_count > 0 then tags::jsonb::json end;
end
$$;
