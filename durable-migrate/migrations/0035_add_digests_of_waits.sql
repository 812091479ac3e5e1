-- expand: the digest of the arguments of a step that a child runs in another queue; null for every other wait.
alter table durable.waits add column digest bigint;
