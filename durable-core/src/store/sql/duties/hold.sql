-- duties/hold: upkeep: leave duty $2 for another $4 seconds to the one who took it at $3, and is still at it.
update durable.duties
set due_at = present.at + make_interval(secs => $4)
from durable.present
where shard = $1 and duty = $2 and taken_at = $3
