-- executions/count_at_most: how many executions pass every filter that is not null; it counts no further than $13.
select count(*) as executions
from (
    select 1
    from durable.shown_executions as shown
    left join durable.execution_tags as tag_1
    on tag_1.execution_id = shown.execution_id
        and tag_1.name = coalesce(($11::text[])[1], '')
        and tag_1.value = coalesce(($12::text[])[1], '')
    left join durable.execution_tags as tag_2
    on tag_2.execution_id = shown.execution_id
        and tag_2.name = coalesce(($11::text[])[2], '')
        and tag_2.value = coalesce(($12::text[])[2], '')
    left join durable.execution_tags as tag_3
    on tag_3.execution_id = shown.execution_id
        and tag_3.name = coalesce(($11::text[])[3], '')
        and tag_3.value = coalesce(($12::text[])[3], '')
    left join durable.execution_tags as tag_4
    on tag_4.execution_id = shown.execution_id
        and tag_4.name = coalesce(($11::text[])[4], '')
        and tag_4.value = coalesce(($12::text[])[4], '')
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
      and (($11::text[])[1] is null or tag_1.execution_id is not null)
      and (($11::text[])[2] is null or tag_2.execution_id is not null)
      and (($11::text[])[3] is null or tag_3.execution_id is not null)
      and (($11::text[])[4] is null or tag_4.execution_id is not null)
    limit $13
) as counted
