-- duties/hold: upkeep: leave duty $1 for another $3 seconds to the worker that took it at $2 and still does it.
update durable.duties
set due_at = present.at + make_interval(secs => $3)
from durable.present
where duty = $1 and taken_at = $2
