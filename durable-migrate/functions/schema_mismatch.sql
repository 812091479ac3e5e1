-- schema_mismatch: the first reason why a value does not fit a JSON Schema, with its path; null where it fits.
-- Covers what a schema derived from a Rust type says (draft 2020-12): type, enum, const, $ref, combinators, objects, arrays, bounds.
create or replace function durable.schema_mismatch(schema jsonb, value jsonb, path text, root jsonb) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    kind text := jsonb_typeof(value);
    expected text;
    mismatch text;
    member record;
    matches int := 0;
    size numeric;
begin
    if schema is null or schema = 'true' or schema = '{}' then
        return null;
    end if;
    if schema = 'false' then
        return format('%s is not allowed', path);
    end if;

    if schema ? '$ref' then
        mismatch := durable.schema_mismatch(
            root #> string_to_array(replace(ltrim(schema ->> '$ref', '#/'), '~1', '/'), '/'), value, path, root
        );
        if mismatch is not null then
            return mismatch;
        end if;
    end if;

    if schema ? 'type' then
        select string_agg(name, ' or '), count(*) filter (
            where name = kind
               or (name = 'integer' and kind = 'number' and trunc((value #>> '{}')::numeric) = (value #>> '{}')::numeric)
        )
        into expected, matches
        from jsonb_array_elements_text(
            case jsonb_typeof(schema -> 'type') when 'array' then schema -> 'type' else jsonb_build_array(schema -> 'type') end
        ) as allowed (name);
        if matches = 0 then
            return format('%s is %s %s, expected %s', path, kind, left(value::text, 80), expected);
        end if;
    end if;
    if schema ? 'const' and schema -> 'const' <> value then
        return format('%s is %s, expected %s', path, left(value::text, 80), schema -> 'const');
    end if;
    if schema ? 'enum' and not schema -> 'enum' @> jsonb_build_array(value) then
        return format('%s is %s, expected one of %s', path, left(value::text, 80), schema -> 'enum');
    end if;

    if kind = 'number' then
        size := (value #>> '{}')::numeric;
        if size < (schema ->> 'minimum')::numeric or size <= (schema ->> 'exclusiveMinimum')::numeric then
            return format('%s is %s, below the minimum %s', path, size, coalesce(schema ->> 'minimum', schema ->> 'exclusiveMinimum'));
        end if;
        if size > (schema ->> 'maximum')::numeric or size >= (schema ->> 'exclusiveMaximum')::numeric then
            return format('%s is %s, above the maximum %s', path, size, coalesce(schema ->> 'maximum', schema ->> 'exclusiveMaximum'));
        end if;
    elsif kind = 'string' then
        size := length(value #>> '{}');
        if size < (schema ->> 'minLength')::numeric then
            return format('%s is shorter than %s characters', path, schema ->> 'minLength');
        end if;
        if size > (schema ->> 'maxLength')::numeric then
            return format('%s is longer than %s characters', path, schema ->> 'maxLength');
        end if;
        if schema ? 'pattern' and (value #>> '{}') !~ (schema ->> 'pattern') then
            return format('%s does not match %s', path, schema ->> 'pattern');
        end if;
    elsif kind = 'object' then
        for member in select name from jsonb_array_elements_text(coalesce(schema -> 'required', '[]')) as required (name) loop
            if not value ? member.name then
                return format('%s has no `%s`', path, member.name);
            end if;
        end loop;
        for member in select * from jsonb_each(value) as field (name, content) loop
            if schema -> 'properties' ? member.name then
                mismatch := durable.schema_mismatch(schema -> 'properties' -> member.name, member.content, path || '.' || member.name, root);
            elsif schema ? 'additionalProperties' then
                mismatch := durable.schema_mismatch(schema -> 'additionalProperties', member.content, path || '.' || member.name, root);
            end if;
            if mismatch is not null then
                return mismatch;
            end if;
        end loop;
    elsif kind = 'array' then
        size := jsonb_array_length(value);
        if size < (schema ->> 'minItems')::numeric then
            return format('%s has fewer than %s items', path, schema ->> 'minItems');
        end if;
        if size > (schema ->> 'maxItems')::numeric then
            return format('%s has more than %s items', path, schema ->> 'maxItems');
        end if;
        if schema -> 'uniqueItems' = 'true' then
            select content into member
            from jsonb_array_elements(value) as item (content)
            group by content
            having count(*) > 1
            limit 1;
            if found then
                return format('%s holds %s more than once', path, left(member.content::text, 80));
            end if;
        end if;
        for member in select content, position - 1 as position from jsonb_array_elements(value) with ordinality as item (content, position) loop
            mismatch := durable.schema_mismatch(
                coalesce(schema -> 'prefixItems' -> member.position::int, schema -> 'items'),
                member.content, format('%s[%s]', path, member.position), root
            );
            if mismatch is not null then
                return mismatch;
            end if;
        end loop;
    end if;

    for member in select part from jsonb_array_elements(coalesce(schema -> 'allOf', '[]')) as all_of (part) loop
        mismatch := durable.schema_mismatch(member.part, value, path, root);
        if mismatch is not null then
            return mismatch;
        end if;
    end loop;
    if schema ? 'anyOf' or schema ? 'oneOf' then
        matches := 0;
        expected := null;
        for member in select part from jsonb_array_elements(coalesce(schema -> 'anyOf', schema -> 'oneOf')) as any_of (part) loop
            mismatch := durable.schema_mismatch(member.part, value, path, root);
            if mismatch is null then
                matches := matches + 1;
            else
                expected := concat_ws('; or ', expected, mismatch);
            end if;
        end loop;
        if matches = 0 then
            return expected;
        end if;
        if schema ? 'oneOf' and matches > 1 then
            return format('%s fits %s alternatives, expected exactly one', path, matches);
        end if;
    end if;
    if schema ? 'not' and durable.schema_mismatch(schema -> 'not', value, path, root) is null then
        return format('%s is of an excluded form', path);
    end if;
    return null;
end
$$;
