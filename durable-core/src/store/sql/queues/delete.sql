-- queues/delete: forget the settings of queue $1, which has nothing in it.
select durable.delete_queue($1)
