-- executions/list: executions as they are shown that pass every filter that is not null, after the place $13 and the id $14.
-- By $11, the last first if $12; executions without such a value come last, and of equal ones the newest comes first. Newest first if
-- $11 is null: then all places are 0. To be planned for its parameters: a filter that is null costs nothing, and the others find indexes.
select shown.*, place
from durable.shown_executions as shown
cross join lateral (
    select coalesce(case when $12 then -sorted.value else sorted.value end, 'infinity') as place
    from (
        select
            case
                when $11::text is null then 0
                when $11 = 'created' then extract(epoch from created_at)
                when $11 = 'started' then extract(epoch from started_at)
                when $11 = 'finished' then extract(epoch from finished_at)
                when $11 = 'wakes' then extract(epoch from wake_at)
                when $11 = 'priority' then priority
            end::float8 as value
    ) as sorted
) as placed
where ($1::text[] is null or state = any ($1))
  and ($2::text is null or workflow = $2)
  and ($3::int is null or version = $3)
  and ($4::text is null or queue = $4)
  and ($5::text is null or key = $5)
  and ($6::timestamptz is null or created_at >= $6)
  and ($7::timestamptz is null or created_at < $7)
  and ($8::uuid is null or execution_id >= $8)
  and ($9::uuid is null or execution_id <= $9)
  and ($10::uuid is null or parent_id = $10)
  and ($14::uuid is null or place > $13::float8 or place = $13 and execution_id < $14)
order by place, execution_id desc
limit $15
