-- executions/notify_parents: give the ends of $1 to the waits of their parents; says which parents woke, and which are busy.
select child_id, outcome, parent_id, woken_queue
from durable.notify_parents($1)
