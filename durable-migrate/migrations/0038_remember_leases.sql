-- expand: how long the lease of a worker is, so that one that ends later than that from now shows that the clock was set back.
alter table durable.workers
add column lease interval;
