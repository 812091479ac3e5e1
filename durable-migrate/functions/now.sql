-- now: the time by the clock that tests can turn. Statements read the view `present` instead, which needs no call.
create or replace function durable.now() returns timestamptz
language sql volatile
begin atomic
    select at from durable.present;
end;
