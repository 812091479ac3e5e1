-- set_inputs: change inputs of a graph, all under one revision: set those in `inputs`, an object of values, and unset those in `unset`.
-- `metadata` is an object of what is said about the values that are set. The outcome is `delivered`, `kept` (the worker takes it when it
-- has applied the changes before it), or `repeated`. Each argument can be left out.
create or replace function durable.set_inputs(
    execution_id uuid,
    inputs json default null,
    unset text[] default null,
    metadata json default null,
    message_id uuid default gen_random_uuid(),
    out outcome text,
    out woken_queue text
)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    name text;
    names text[];
begin
    if json_typeof(set_inputs.inputs) <> 'object' or json_typeof(set_inputs.metadata) <> 'object' then
        raise exception 'the inputs and the metadata are objects, such as {"applicant": "Ada"}, and not %',
            json_typeof(case when json_typeof(set_inputs.inputs) <> 'object' then set_inputs.inputs else set_inputs.metadata end)
        using errcode = 'UD422', hint = 'name each input: {"name": value}';
    end if;
    names := array(select json_object_keys(set_inputs.inputs));
    if cardinality(names) = 0 and coalesce(cardinality(set_inputs.unset), 0) = 0 then
        raise exception 'a change that changes nothing'
        using errcode = 'UD422', hint = 'set an input, or unset one';
    end if;
    foreach name in array coalesce(set_inputs.unset, '{}') loop
        if name = any (names) then
            raise exception 'the change sets and unsets the input `%`', name using errcode = 'UD422', hint = 'do one of them';
        end if;
    end loop;
    select key into name
    from json_object_keys(set_inputs.metadata) as key
    where key <> all (names)
    limit 1;
    if found then
        raise exception 'the change has metadata for the input `%`, and no value', name
        using errcode = 'UD422', hint = 'metadata belongs to a value';
    end if;

    select sent.outcome, sent.woken_queue into outcome, woken_queue
    from durable.send_change(
        set_inputs.execution_id,
        -- As text: rebuilding the objects would lose the digits of numbers.
        format(
            '{"set": %s, "metadata": %s, "unset": %s}',
            coalesce(set_inputs.inputs::text, '{}'), coalesce(set_inputs.metadata::text, '{}'), to_json(coalesce(set_inputs.unset, '{}'))
        )::json,
        set_inputs.message_id
    ) as sent;
end
$$;
