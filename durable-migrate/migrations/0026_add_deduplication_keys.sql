-- expand: an execution may have a deduplication key, of which a workflow has one execution at a time that has not ended.
alter table durable.executions
    add column deduplication_key text;

create unique index executions_by_deduplication_key
on durable.executions (shard, workflow, deduplication_key)
where deduplication_key is not null and finished_at is null;

-- They come back with more parameters; beside them the shorter ones would make calls ambiguous.
drop function if exists durable.start(text, json, text, text, int, timestamptz, interval, int, text);
drop function if exists durable.start_many(
    smallint, uuid[], text[], int[], text[], smallint[], text[], text[], timestamptz[], float8[], float8[], boolean[], uuid, text[]
);
