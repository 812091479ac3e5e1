-- waits/send_event: give event $2 to execution $1.
select outcome, woken_queue, open_names
from durable.send_event($1, $2, $3::json, $4)
