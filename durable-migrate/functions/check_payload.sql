-- check_payload: refuse what could not be stored and read back: over 4 MiB, with \u0000, nested over 126 levels.
create or replace function durable.check_payload(what text, payload text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
declare
    bracket text;
    depth int := 0;
begin
    if octet_length(payload) > 4194304 then
        raise exception '% is % bytes, over the limit of 4194304', what, octet_length(payload)
        using errcode = 'UD413', hint = 'store the data elsewhere and pass a reference to it';
    end if;
    if payload ~ '\\u0000' and payload ~ '(^|[^\\])(\\\\)*\\u0000' then
        raise exception '% contains the character \u0000, which Postgres cannot hold', what
        using errcode = 'UD422', hint = 'encode binary data, as base64 for example';
    end if;
    if length(payload) - length(translate(payload, '[{', '')) <= 126 then
        return;
    end if;
    foreach bracket in array string_to_array(
        regexp_replace(regexp_replace(payload, '"([^"\\]|\\.)*"', '', 'g'), '[^][{}]', '', 'g'), null
    ) loop
        depth := depth + case when bracket in ('[', '{') then 1 else -1 end;
        if depth > 126 then
            raise exception '% is nested over 126 levels deep', what
            using errcode = 'UD422', hint = 'flatten it: deeper JSON could not be decoded again';
        end if;
    end loop;
end
$$;
