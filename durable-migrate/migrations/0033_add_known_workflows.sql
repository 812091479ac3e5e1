-- expand: which workflows a worker knows, each as `name@version`; null where it runs a release that does not say.
alter table durable.workers
add column workflows text[];
