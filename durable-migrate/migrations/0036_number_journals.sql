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

-- What is there already is numbered in the order of its times, as near as they tell.
with entry as (
    select 'checkpoint' as kind, ctid as place, finished_at as at, key
    from durable.checkpoints
    union all
    select 'wait', ctid, started_at, key
    from durable.waits
    union all
    select 'end', ctid, resolved_at, key
    from durable.waits
    where resolved_at is not null
    union all
    select 'publication', ctid, published_at, key
    from durable.publications
),
numbered as materialized (
    select kind, place, nextval('durable.journal_ordinals') as ordinal
    from (select kind, place from entry order by at, kind, key) as sorted
),
checkpoint as (
    update durable.checkpoints
    set ordinal = numbered.ordinal
    from numbered
    where numbered.kind = 'checkpoint' and checkpoints.ctid = numbered.place
),
publication as (
    update durable.publications
    set ordinal = numbered.ordinal
    from numbered
    where numbered.kind = 'publication' and publications.ctid = numbered.place
)
update durable.waits
set ordinal = began.ordinal, resolved_ordinal = ended.ordinal
from numbered as began
left join numbered as ended on ended.kind = 'end' and ended.place = began.place
where began.kind = 'wait' and waits.ctid = began.place;
