-- executions/archive: hide execution $1 from lists; return since when it is archived.
select durable.archive($1) as archived_at
