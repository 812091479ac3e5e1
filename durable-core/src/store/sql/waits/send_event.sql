-- waits/send_event: give event $2 to execution $1.
-- It also runs in transactions of callers, whose search path may name other types before those of Postgres.
select outcome, woken_queue, open_names
from durable.send_event($1, $2, $3::pg_catalog.json, $4)
