-- breaking: functions that return other columns or take other parameters now; they are created anew with the others.
drop function if exists durable.send_event(uuid, text, json, uuid);
drop function if exists durable.provide_input(uuid, text, json, uuid, text);
drop function if exists durable.schema_mismatch(jsonb, jsonb, text, jsonb);
drop function if exists durable.park(
    smallint, uuid, uuid[], int[], timestamptz[], boolean[], int[], uuid[], text[], text[], text[], float8[], timestamptz[], text[], text[],
    text[], uuid[], text[]
);
