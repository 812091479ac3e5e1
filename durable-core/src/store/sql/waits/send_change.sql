-- waits/send_change: give change $2 to execution $1, a graph.
-- It also runs in transactions of callers, whose search path may name other types before those of Postgres.
select outcome, woken_queue
from durable.send_change($1, $2::pg_catalog.json, $3, $4, $5)
