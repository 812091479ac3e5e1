-- check_inputs: refuse names that are not inputs of a graph, as far as a worker has kept the graph; and any name, if the workflow is not
-- a graph. `what` is the beginning of the message, such as "execution 0198… is not changed".
create or replace function durable.check_inputs(what text, workflow text, version int, names text[]) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    kept json;
    wrong record;
    known text;
begin
    select graph into kept
    from durable.workflow_graphs
    where workflow = check_inputs.workflow and version = check_inputs.version;
    if not found then
        return;
    end if;
    if kept ->> 'form' is distinct from 'graph' then
        raise exception '%: its workflow `%` is not a graph, and has no inputs to set', what, check_inputs.workflow
        using errcode = 'UD422', hint = 'send an event, or answer its question';
    end if;
    select given.name, node.kind into wrong
    from unnest(names) with ordinality as given (name, nth)
    left join json_to_recordset(kept -> 'nodes') as node (name text, kind text, was jsonb)
        on node.name = given.name or node.was ? given.name
    where node.kind is distinct from 'input'
    order by given.nth
    limit 1;
    if not found then
        return;
    end if;
    select string_agg(node.name, ', ') into known
    from json_to_recordset(kept -> 'nodes') as node (name text, kind text)
    where node.kind = 'input';
    if wrong.kind is null then
        raise exception '%: there is no input `%`; %', what, wrong.name, coalesce('its inputs are ' || known, 'the graph has no inputs')
        using errcode = 'UD422', hint = 'a worker keeps the graph when it starts';
    end if;
    raise exception '%: `%` is computed, and only inputs can be set and unset; %',
        what, wrong.name, coalesce('its inputs are ' || known, 'the graph has no inputs')
    using errcode = 'UD422', hint = 'set the inputs that it is computed from';
end
$$;
