-- expand: take away functions that come back with more parameters; beside them the shorter ones would make calls ambiguous.
drop function if exists durable.cancel(uuid, text);
drop function if exists durable.deliver(uuid, text, text, json, uuid);
drop function if exists durable.provide_input(uuid, text, json, uuid);
drop function if exists durable.park(
    smallint, uuid, uuid[], int[], timestamptz[], uuid[], text[], text[], text[], float8[], timestamptz[], text[], text[]
);
