-- expand: number what is recorded in journals, rests and publications in the order in which it was written, whatever the clock says.
-- One sequence, so that the numbers of a step, a wait and its end can be compared.
create sequence durable.journal_ordinals;

alter table durable.checkpoints
add column ordinal bigint not null default nextval('durable.journal_ordinals');

alter table durable.waits
add column ordinal bigint not null default nextval('durable.journal_ordinals'),
add column resolved_ordinal bigint;

alter table durable.publications
add column ordinal bigint not null default nextval('durable.journal_ordinals');

alter table durable.executions
add column rested_ordinal bigint;
