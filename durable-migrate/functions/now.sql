-- now: the time by the clock that a test can turn. Statements read the view `present`, which costs them no call.
create or replace function durable.now() returns timestamptz
language sql volatile
begin atomic
    select at from durable.present;
end;
