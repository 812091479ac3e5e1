-- step_logs/save: upkeep: keep what attempts at steps logged; an execution that was deleted meanwhile is left out.
insert into durable.step_logs (execution_id, epoch, left_out, attempt, key, lines)
select execution_id, epoch, left_out, attempt, key, lines::json
from unnest($1::uuid[], $2::int[], $3::int[], $4::int2[], $5::text[], $6::text[])
    as log (execution_id, epoch, left_out, attempt, key, lines)
where exists (select from durable.executions where executions.execution_id = log.execution_id)
on conflict on constraint step_logs_pkey do nothing
