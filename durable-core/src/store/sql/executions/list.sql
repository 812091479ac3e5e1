-- executions/list: executions as they are shown that pass every filter that is not null, after the place $13 and the id $14.
-- By $11, the last first if $12; executions without such a value come last, and of equal ones the newest comes first. Newest
-- first if $11 is null: then all places are 0. Tags have the names $16 and the values $17, at most four; a join without a name is
-- left out of the plan. $18 says whether the executions are archived; null for both. To be planned for its parameters: a filter that is null costs nothing, and the others find indexes.
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
left join durable.execution_tags as tag_1
on tag_1.execution_id = shown.execution_id
    and tag_1.name = coalesce(($16::text[])[1], '')
    and tag_1.value = coalesce(($17::text[])[1], '')
    and ($14::uuid is null or $11::text is not null or tag_1.execution_id < $14)
left join durable.execution_tags as tag_2
on tag_2.execution_id = shown.execution_id
    and tag_2.name = coalesce(($16::text[])[2], '')
    and tag_2.value = coalesce(($17::text[])[2], '')
    and ($14::uuid is null or $11::text is not null or tag_2.execution_id < $14)
left join durable.execution_tags as tag_3
on tag_3.execution_id = shown.execution_id
    and tag_3.name = coalesce(($16::text[])[3], '')
    and tag_3.value = coalesce(($17::text[])[3], '')
    and ($14::uuid is null or $11::text is not null or tag_3.execution_id < $14)
left join durable.execution_tags as tag_4
on tag_4.execution_id = shown.execution_id
    and tag_4.name = coalesce(($16::text[])[4], '')
    and tag_4.value = coalesce(($17::text[])[4], '')
    and ($14::uuid is null or $11::text is not null or tag_4.execution_id < $14)
where ($1::text[] is null or state = any ($1))
  and ($2::text is null or workflow = $2)
  and ($3::int is null or version = $3)
  and ($4::text is null or queue = $4)
  and ($5::text is null or key = $5)
  and ($6::timestamptz is null or created_at >= $6)
  and ($7::timestamptz is null or created_at < $7)
  and ($8::uuid is null or shown.execution_id >= $8)
  and ($9::uuid is null or shown.execution_id <= $9)
  and ($10::uuid is null or parent_id = $10)
  and ($14::uuid is null or place > $13::float8 or place = $13 and shown.execution_id < $14)
  and (($16::text[])[1] is null or tag_1.execution_id is not null)
  and (($16::text[])[2] is null or tag_2.execution_id is not null)
  and (($16::text[])[3] is null or tag_3.execution_id is not null)
  and (($16::text[])[4] is null or tag_4.execution_id is not null)
  and ($18::bool is null or (archived_at is not null) = $18)
order by place, shown.execution_id desc
limit $15
