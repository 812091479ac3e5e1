-- publications/prune: upkeep: forget up to $3 publications that are over $2 seconds old; says how many.
with old as materialized (
    select topic, key
    from durable.publications, durable.present
    where shard = $1 and published_at < present.at - make_interval(secs => $2)
    limit $3
    for update of publications skip locked
),
gone as (
    delete from durable.publications
    using old
    where shard = $1 and publications.topic = old.topic and publications.key = old.key
    returning 1
)
select count(*) as gone
from gone
