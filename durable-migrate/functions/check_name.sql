-- check_name: refuse a name or a key that the Rust client refuses: one that is empty, is longer than 1000 bytes, or has control
-- characters. The caller handles null. `payload.rs` has the same rule.
create or replace function durable.check_name(what text, name text) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
set standard_conforming_strings = on
as $$
begin
    if name = '' or octet_length(name) > 1000 then
        raise exception '% has % bytes', what, octet_length(name)
        using errcode = 'UD422', hint = 'give 1 to 1000 bytes, and put what is long into the payload';
    end if;
    if name ~ '[\u0001-\u001f\u007f-\u009f]' then
        raise exception '% contains a control character', what
        using errcode = 'UD422', hint = 'give a text of one line';
    end if;
end
$$;
