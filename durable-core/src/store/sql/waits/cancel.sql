-- waits/cancel: end the open wait $2 of execution $1, given by its key or its name.
select woken_queue, cancelled
from durable.cancel_wait($1, $2)
