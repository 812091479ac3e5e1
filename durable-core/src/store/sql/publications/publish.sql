-- publications/publish: give payload $2 to a batch of the executions that wait on topic $1 with correlation $3, once under key $4.
select reached, more, woken_queues, running
from durable.publish($1, $2::json, $3, $4)
