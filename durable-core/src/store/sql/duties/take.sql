-- duties/take: upkeep: give those of the duties $1 that are due to worker $2 alone, for $3 seconds; one row for each.
with now as materialized (
    select at from durable.present
),
due as materialized (
    select duty, done_at
    from durable.duties
    where duty = any ($1) and (
        due_at <= (select at from now)
        -- The clock ran ahead when the duty was taken, by more than the clocks of two workers differ.
        or taken_at > (select at from now) + interval '1 minute'
      )
    -- A duty that another worker takes at this moment is no longer due.
    for no key update skip locked
),
taken as (
    update durable.duties
    set due_at = now.at + make_interval(secs => $3), taken_at = now.at, worker_id = $2
    from now
    where duty = any (array(select duty from due))
    returning duty
),
first as (
    insert into durable.duties (duty, due_at, taken_at, worker_id)
    select asked.duty, now.at + make_interval(secs => $3), now.at, $2
    from now
    cross join unnest($1) as asked (duty)
    where asked.duty <> all (array(select duty from durable.duties where duty = any ($1)))
    -- In one order, so that two workers that start do not wait for each other.
    order by asked.duty
    on conflict do nothing
    returning duty
)
select duty, now.at as taken_at, due.done_at
from (select duty from taken union all select duty from first) as mine
left join due using (duty)
cross join now
