-- expand: where the starter of an execution stood in its trace (W3C Trace Context), null where it was in none. The functions that
-- write and read it come back with more parameters and columns; beside them the old ones would make calls ambiguous.
alter table durable.executions add column trace_context text;
drop function if exists durable.start(
    text, json, text, text, int, timestamptz, interval, int, text, text, text, interval, interval, interval
);
drop function if exists durable.start_many(
    smallint, uuid[], text[], int[], text[], smallint[], text[], text[], timestamptz[], float8[], float8[], boolean[], uuid, text[],
    text[], text[], float8[], float8[]
);
drop function if exists durable.claim(smallint, uuid, text, int, text[], int[], float8[], text[], int[]);
