-- doctor/measure: how full queues are, what waits for people or for code, and how much vacuum has to do in schema $1; one row for each gauge.
with ready as materialized (
    select
        queue,
        count(*) as executions,
        extract(epoch from max(
            case when rank between '0001-01-01' and '9999-12-31' then present.at - (rank + make_interval(mins => priority)) end
        ) filter (where epoch = 0)) as oldest_age
    from durable.executions
    cross join durable.present
    where state = 'pending' and wake_at is null
    group by queue
)
select 'queue_depth' as measure, queue as name, 'ready' as state, executions::float8 as value
from ready
union all
select 'queue_oldest_age', queue, null, greatest(oldest_age, 0)::float8
from ready
union all
select 'queue_depth', queue, 'delayed', count(*)
from durable.executions
where state = 'pending' and wake_at is not null
group by queue
union all
select 'queue_depth', queue, 'running', count(*)
from durable.executions
where state = 'running'
group by queue
union all
select 'human_input_pending', null, null, count(*)
from durable.waits
where kind = 'input' and outcome is null
union all
select 'event_unconsumed', null, null, count(*)
from durable.mailbox
where kind = 'event'
union all
select 'storage_dead_tuples', relname, null, n_dead_tup
from pg_stat_user_tables
where schemaname = $1
union all
select 'storage_xmin_age', null, null, coalesce(max(age(backend_xmin)), 0)
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
