-- breaking: take away a function that comes back with an ordinal instead of a time.
drop function if exists durable.take_over(uuid, uuid, int, timestamptz, text[]);
