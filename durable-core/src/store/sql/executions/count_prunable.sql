-- executions/count_prunable: how many executions `prune` would delete with these filters.
with limits as materialized (
    select present.at - make_interval(secs => $3) as ended_before
    from durable.present
),
candidate as materialized (
    select execution_id
    from durable.prunable_executions
    where execution_id > $1
      and execution_id < $2
      and finished_at < (select ended_before from limits)
      and ($4::text is null or workflow = $4)
      and ($5::text[] is null or state = any ($5))
)
select (select count(*) from candidate) - count(*) as prunable
from durable.still_needed(array(select execution_id from candidate), (select ended_before from limits))
