-- duties/take: have worker $3 do duty $2 if it is due, and nobody else for $4 seconds; says whether it is to.
with now as materialized (
    select at from durable.present
),
taken as (
    -- Who waits for the row of another finds that it is due no more.
    update durable.duties
    set due_at = now.at + make_interval(secs => $4), taken_at = now.at, worker_id = $3
    from now
    where shard = $1 and duty = $2 and due_at <= now.at
    returning true
),
first as (
    insert into durable.duties (shard, duty, due_at, taken_at, worker_id)
    select $1, $2, now.at + make_interval(secs => $4), now.at, $3
    from now
    where (select true from durable.duties where shard = $1 and duty = $2 limit 1) is null
    on conflict do nothing
    returning true
)
select exists (select from taken) or exists (select from first) as taken
