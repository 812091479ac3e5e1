-- check_payload: refuse a payload that Rust could not store and read back: one over 4 MiB, with \u0000 or half of a surrogate pair, with a
-- number beyond a double, or with more than 126 levels. The Rust client has the same rule in `payload/inspect.rs`.
create or replace function durable.check_payload(what text, payload text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
declare
    -- A number of this size or more is nearer to infinity than to the largest double: 2^1024 - 2^970.
    beyond_doubles constant numeric := 2::numeric ^ 1024 - 2::numeric ^ 970;
    parsed jsonb;
begin
    if octet_length(payload) > 4194304 then
        raise exception '% is % bytes, over the limit of 4194304', what, octet_length(payload)
        using errcode = 'UD413', hint = 'store the data elsewhere and pass a reference to it';
    end if;
    -- Nearly every payload passes here: it has no escapes, no large exponent, no very long number, and few brackets.
    if strpos(payload, '\u') = 0
        and payload !~ '[0-9][eE]\+?[0-9]{2}|[0-9]{200}'
        and octet_length(payload) - octet_length(replace(replace(payload, '[', ''), '{', '')) <= 126
    then
        return;
    end if;
    begin
        parsed := payload::jsonb;
    exception
        when untranslatable_character then
            raise exception '% contains the character \u0000, which Postgres cannot hold', what
            using errcode = 'UD422', hint = 'encode binary data, as base64 for example';
        when invalid_text_representation then
            raise exception '% is not JSON that can be read back: %', what, sqlerrm
            using errcode = 'UD422', hint = 'a surrogate, such as \ud800, needs its other half';
        when numeric_value_out_of_range then
            raise exception '% contains a number that is beyond a double', what
            using errcode = 'UD422', hint = 'give it as a text';
    end;
    if jsonb_path_exists(
        parsed, 'strict $.** ? (@ >= $most || @ <= $least)',
        jsonb_build_object('most', beyond_doubles, 'least', -beyond_doubles)
    ) then
        raise exception '% contains a number that is beyond a double', what
        using errcode = 'UD422', hint = 'give it as a text';
    end if;
    if jsonb_path_exists(parsed, 'strict $.**{126 to last} ? (@.type() == "object" || @.type() == "array")') then
        raise exception '% is nested over 126 levels deep', what
        using errcode = 'UD422', hint = 'flatten it: deeper JSON could not be decoded again';
    end if;
end
$$;
