-- journal: the keys of an execution's checkpoints and waits, in the order in which they were recorded and ended; open waits by
-- their begin.
select key
from (
    select key, ordinal
    from durable.checkpoints
    where execution_id = $1
    union all
    select key, coalesce(resolved_ordinal, ordinal)
    from durable.waits
    where execution_id = $1
) as entries
order by ordinal
