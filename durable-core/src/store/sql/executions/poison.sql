-- executions/poison: end execution $2, which worker $1 has claimed too often without it coming to rest, for the reason $4.
select id, state, queue, awaited_by
from durable.poison($1, $2, $3, $4::json)
