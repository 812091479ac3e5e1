-- queues/delete: delete the settings of the empty queue $1.
select durable.delete_queue($1)
