-- expand: an execution may have a debounce key, of which a workflow has one execution at a time that has not begun.
alter table durable.executions
    add column debounce_key text;

create unique index executions_debounced
on durable.executions (shard, workflow, debounce_key)
where debounce_key is not null and state = 'pending' and epoch = 0;

-- They come back with more parameters; beside them the shorter ones would make calls ambiguous.
drop function if exists durable.start(text, json, text, text, int, timestamptz, interval, int, text, text);
drop function if exists durable.start_many(
    smallint, uuid[], text[], int[], text[], smallint[], text[], text[], timestamptz[], float8[], float8[], boolean[], uuid, text[],
    text[]
);
