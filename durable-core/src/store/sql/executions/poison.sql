-- executions/poison: give up execution $3, which worker $2 has claimed too often without it coming to rest, for the reason $5.
select id, state, queue, awaited_by
from durable.poison($1, $2, $3, $4, $5::json)
