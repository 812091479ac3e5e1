-- analytics/keys: read: the journal keys of steps and waits in the executions that pass every filter that is not null.
with picked as materialized (
    select execution_id
    from durable.shown_executions as shown
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
      and ($13::bool is null or (archived_at is not null) = $13)
      and (
          -- An array, because the planner looks for its ids in the primary key.
          cardinality($11::text[]) = 0
          or execution_id = any (array (
              select tag.execution_id
              from unnest($11::text[], $12::text[]) as asked (name, value)
              join durable.execution_tags as tag using (name, value)
              group by tag.execution_id
              having count(*) = cardinality($11::text[])
          ))
      )
)
select key, false as is_wait from picked join durable.checkpoints using (execution_id)
union
select key, false from picked join durable.attempts using (execution_id)
union
select key, true from picked join durable.waits using (execution_id)
