-- publications/prune: upkeep: delete up to $2 publications that are over $1 seconds old; return how many.
with old as materialized (
    select topic, key
    from durable.publications, durable.present
    where published_at < present.at - make_interval(secs => $1)
    limit $2
    for update of publications skip locked
),
gone as (
    delete from durable.publications
    using old
    where publications.topic = old.topic and publications.key = old.key
    returning 1
)
select count(*) as gone
from gone
