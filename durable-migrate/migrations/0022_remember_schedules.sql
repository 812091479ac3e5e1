-- expand: an execution that a schedule started knows which, and for which due time.
alter table durable.executions
    add column schedule text,
    add column scheduled_for timestamptz,
    add constraint scheduled_for_a_time check ((schedule is null) = (scheduled_for is null));

-- It returns the due time now, and is created anew with the other functions.
drop function if exists durable.claim(smallint, uuid, text, int, text[], int[], float8[], text[], int[]);
