-- expand: functions that return other columns now; they are created anew with the others.
drop function if exists durable.begin_rollback(smallint, uuid, uuid, int, json);
