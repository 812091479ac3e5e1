-- judge_firings: count the failures in a row of the executions that schedules started. A success sets the count to zero, and too many
-- failures disable the schedule. The caller has locked the schedules' rows.
create or replace function durable.judge_firings(schedules text[], at timestamptz) returns void
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with firing as materialized (
        select schedule, due_at, execution_id
        from durable.schedule_firings
        where schedule = any ($1) and outcome = 'started' and judged_at is null
    ),
    execution as materialized (
        select execution_id, state, finished_at, error
        from durable.executions
        where execution_id = any (array(select execution_id from firing))
    ),
    ended as materialized (
        -- If the execution was deleted, it had ended.
        select
            firing.schedule, firing.due_at, execution.error,
            execution.state = 'completed' as completed,
            execution.state in ('failed', 'compensated', 'compensation_failed') as failed
        from firing
        left join execution using (execution_id)
        where execution.execution_id is null or execution.finished_at is not null
    ),
    judged as (
        update durable.schedule_firings
        set judged_at = $2
        from ended
        where schedule_firings.schedule = any ($1)
          and schedule_firings.schedule = ended.schedule
          and schedule_firings.due_at = ended.due_at
    ),
    success as (
        select schedule, max(due_at) as due_at
        from ended
        where completed
        group by schedule
    ),
    streak as (
        select
            ended.schedule,
            bool_or(completed) as completed,
            -- In the order of due times, which stays the same if the clock is set back.
            count(*) filter (where failed and ended.due_at > coalesce(success.due_at, '-infinity')) as failed,
            (array_agg(error order by ended.due_at desc) filter (where failed))[1] as error
        from ended
        left join success using (schedule)
        group by ended.schedule
    ),
    counted as (
        select schedule, error, failed + case when completed then 0 else schedules.failures end as failures
        from streak
        join durable.schedules using (schedule)
        where schedule = any ($1)
    )
    update durable.schedules
    set failures = counted.failures,
        last_error = coalesce(counted.error, last_error),
        enabled = schedules.enabled and counted.failures < coalesce(max_failures, counted.failures + 1),
        disabled_reason = case
            when schedules.enabled and counted.failures >= max_failures then format('%s of its executions failed in a row', counted.failures)
            else disabled_reason
        end
    from counted
    where schedules.schedule = any ($1) and schedules.schedule = counted.schedule
$$;
