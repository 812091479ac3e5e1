-- schema_mismatch: check an answer in part: the reason why it does not fit its schema, with the place; null if it may fit.
-- It checks types, allowed values, bounds and missing fields, two levels deep. The worker checks the rest, and every answer over
-- 16 KiB.
create or replace function durable.schema_mismatch(schema jsonb, value jsonb, path text, levels int) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    kind text := jsonb_typeof(value);
    types jsonb := schema -> 'type';
    size numeric;
    mismatch text;
    member record;
begin
    -- References into other parts of the schema are not followed.
    if jsonb_typeof(schema) is distinct from 'object' or schema ? '$ref' then
        return null;
    end if;
    if jsonb_typeof(types) = 'string' then
        types := jsonb_build_array(types);
    end if;
    if types is not null
        and not types ? kind
        and not (types ? 'integer' and kind = 'number' and trunc((value #>> '{}')::numeric) = (value #>> '{}')::numeric)
    then
        return format('%s is %s %s, expected %s', path, kind, left(value::text, 80), replace(btrim(types::text, '[]'), ',', ' or'));
    end if;
    if jsonb_typeof(schema -> 'enum') = 'array' and not schema -> 'enum' @> jsonb_build_array(value) then
        return format('%s is %s, expected one of %s', path, left(value::text, 80), left((schema -> 'enum')::text, 1000));
    end if;

    if kind = 'number' then
        size := (value #>> '{}')::numeric;
        if jsonb_typeof(schema -> 'minimum') = 'number' and size < (schema ->> 'minimum')::numeric then
            return format('%s is %s, below the minimum %s', path, left(size::text, 80), schema ->> 'minimum');
        end if;
        if jsonb_typeof(schema -> 'maximum') = 'number' and size > (schema ->> 'maximum')::numeric then
            return format('%s is %s, above the maximum %s', path, left(size::text, 80), schema ->> 'maximum');
        end if;
    elsif kind = 'string' then
        if jsonb_typeof(schema -> 'minLength') = 'number' and length(value #>> '{}') < (schema ->> 'minLength')::numeric then
            return format('%s is shorter than %s characters', path, schema ->> 'minLength');
        end if;
    elsif kind = 'object' and levels > 0 then
        for member in
            select name
            from jsonb_array_elements_text(
                case jsonb_typeof(schema -> 'required') when 'array' then schema -> 'required' else '[]' end
            ) as required (name)
        loop
            if not value ? member.name then
                return format('%s has no `%s`', path, member.name);
            end if;
        end loop;
        for member in select * from jsonb_each(value) as field (name, content) loop
            mismatch := durable.schema_mismatch(
                schema -> 'properties' -> member.name, member.content, path || '.' || member.name, levels - 1
            );
            if mismatch is not null then
                return mismatch;
            end if;
        end loop;
    elsif kind = 'array' and levels > 0 and not schema ? 'prefixItems' then
        for member in
            select content, position - 1 as position
            from jsonb_array_elements(value) with ordinality as item (content, position)
        loop
            mismatch := durable.schema_mismatch(
                schema -> 'items', member.content, format('%s[%s]', path, member.position), levels - 1
            );
            if mismatch is not null then
                return mismatch;
            end if;
        end loop;
    end if;
    return null;
end
$$;
