-- executions/pause: have execution $1 go no further until it is resumed; says since when.
select durable.pause($1) as paused_at
