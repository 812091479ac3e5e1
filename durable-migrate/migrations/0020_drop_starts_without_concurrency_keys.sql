-- expand: take away functions that come back with more parameters; beside them the shorter ones would make calls ambiguous.
drop function if exists durable.start(text, json, text, text, int, timestamptz, interval, int);
drop function if exists durable.start_many(
    smallint, uuid[], text[], int[], text[], smallint[], text[], text[], timestamptz[], float8[], float8[], boolean[], uuid
);
