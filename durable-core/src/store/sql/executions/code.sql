-- executions/code: read: the name and the version of the workflow of execution $1.
-- It also runs in transactions of callers, whose search path may name other types before those of Postgres.
select workflow, version
from durable.executions
where execution_id = $1
