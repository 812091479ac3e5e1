-- prunable_executions: ended executions that no child of theirs and no schedule needs any more. A rollback of an ancestor, or of a retry
-- of one, may still need them: see the function `still_needed`.
create or replace view durable.prunable_executions as
select execution_id, workflow, state, finished_at
from durable.shown_executions as ended
where finished_at is not null
  and (
    select child.execution_id
    from durable.executions as child
    where child.parent_id = ended.execution_id and child.finished_at is null
    limit 1
  ) is null
  and (
    -- How it ended is counted when its schedule is due again.
    select firing.execution_id
    from durable.schedule_firings as firing
    where firing.schedule = any (array(select schedule from durable.schedules where enabled and next_due_at is not null))
      and firing.schedule = ended.schedule
      and firing.due_at = ended.scheduled_for
      and firing.execution_id = ended.execution_id
      and firing.judged_at is null
    limit 1
  ) is null;
