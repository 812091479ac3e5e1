-- failure: an error as the journal stores it and the Rust client reads it.
create or replace function durable.failure(kind text, message text) returns json
language sql immutable
return json_build_object('kind', $1, 'message', left($2, 65536));
