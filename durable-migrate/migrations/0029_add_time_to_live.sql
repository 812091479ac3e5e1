-- expand: an execution that has not begun may expire, and a schedule says how soon those that it starts do.
alter table durable.executions
    add column expires_at timestamptz,
    -- Not validated: the column is new, and looking through a large table would keep everybody waiting.
    add constraint expires_only_before_it_begins check (expires_at is null or (state = 'pending' and epoch = 0)) not valid;

create index executions_to_expire
on durable.executions (shard, expires_at)
where expires_at is not null;

alter table durable.schedules
    add column time_to_live interval,
    add constraint time_to_live_is_above_zero check (time_to_live > '0');

-- They come back with more parameters; beside them the shorter ones would make calls ambiguous.
drop function if exists durable.start(text, json, text, text, int, timestamptz, interval, int, text, text, text, interval, interval);
drop function if exists durable.start_many(
    smallint, uuid[], text[], int[], text[], smallint[], text[], text[], timestamptz[], float8[], float8[], boolean[], uuid, text[],
    text[], text[], float8[]
);
drop function if exists durable.debounce(smallint, text, text, int, text, smallint, json, float8, float8, text);
