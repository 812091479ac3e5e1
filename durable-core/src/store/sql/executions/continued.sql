-- executions/continued: read: those of executions $1 that a retry or a fork continues, with the newest of these.
select distinct on (forked_from) forked_from, execution_id
from durable.executions
where forked_from = any ($1)
order by forked_from, execution_id desc
