-- rank: the place in line of an execution that may begin at that time: each level of priority counts as a minute of waiting.
-- What waits overtakes a level a minute, so nothing waits for ever. Smaller is claimed first.
create or replace function durable.rank(begins_at timestamptz, priority smallint) returns timestamptz
language sql stable
return $1 - make_interval(mins => $2);
