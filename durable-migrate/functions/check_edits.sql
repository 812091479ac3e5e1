-- check_edits: refuse edits of a retry or a fork that the Rust client refuses (`client/fork.rs`). They are an object such as
-- `{"input": 42, "outputs": {"step charge": "r-1"}, "reason": "charged by hand", "by": "ada"}`. The caller handles null.
create or replace function durable.check_edits(edits json) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    edit record;
begin
    if json_typeof(edits) <> 'object' or json_typeof(coalesce(edits -> 'outputs', '{}')) <> 'object' then
        raise exception 'edits that are not an object with an object of outputs'
        using errcode = 'UD422', hint = 'as in {"outputs": {"step charge": "r-1"}, "reason": "charged by hand"}';
    end if;
    for edit in select key from json_each(edits) where key not in ('input', 'outputs', 'reason', 'by') loop
        raise exception 'edits with an unknown part `%`', left(edit.key, 100)
        using errcode = 'UD422', hint = 'give input, outputs, reason and by';
    end loop;
    if edits -> 'input' is null and not exists (select from json_object_keys(coalesce(edits -> 'outputs', '{}'))) then
        raise exception 'edits that change nothing' using errcode = 'UD422', hint = 'give an input or an output of a step, or no edits';
    end if;
    if coalesce(octet_length(edits ->> 'reason') not between 1 and 1000, true) then
        raise exception 'edits without a reason of 1 to 1000 bytes' using errcode = 'UD422', hint = 'say why, for the record';
    end if;
    if octet_length(edits ->> 'by') not between 1 and 1000 then
        raise exception 'edits by a person with a name of % bytes', octet_length(edits ->> 'by')
        using errcode = 'UD422', hint = 'give 1 to 1000 bytes, or leave it out';
    end if;
    select key into edit
    from json_object_keys(coalesce(edits -> 'outputs', '{}')) as key
    group by key
    having count(*) > 1
    limit 1;
    if found then
        raise exception 'the output of `%` is given twice', left(edit.key, 100)
        using errcode = 'UD422', hint = 'give each output once';
    end if;
    if edits -> 'input' is not null then
        perform durable.check_payload('the input', (edits -> 'input')::text);
    end if;
    for edit in select key, value from json_each(coalesce(edits -> 'outputs', '{}')) loop
        -- As `is_step` of `plan/retry_from.rs`.
        if edit.key !~ '(^|/)step [^/#]+(#[^/]*)?$' or edit.key like 'undo/%' then
            raise exception 'the output of `%` cannot be given: only steps have one', left(edit.key, 100)
            using errcode = 'UD422', hint = 'give the journal key of a step, such as `step charge`';
        end if;
        perform durable.check_payload(format('the output of `%s`', edit.key), edit.value::text);
    end loop;
end
$$;
