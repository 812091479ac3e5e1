-- same_input: whether two inputs are equal for a workflow: a member that is null counts as a missing member.
create or replace function durable.same_input(one json, other json) returns boolean
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select jsonb_strip_nulls(one::jsonb) = jsonb_strip_nulls(other::jsonb) $$;
