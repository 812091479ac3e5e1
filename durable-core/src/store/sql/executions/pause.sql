-- executions/pause: stop execution $1 until it is resumed; return since when it is paused.
select durable.pause($1) as paused_at
