-- rank: the rank of an execution that may begin at this time. Each level of priority counts as a minute of waiting, so that no
-- execution waits for ever. Executions with a smaller rank are claimed first.
create or replace function durable.rank(begins_at timestamptz, priority smallint) returns timestamptz
language sql stable
return $1 - make_interval(mins => $2);
