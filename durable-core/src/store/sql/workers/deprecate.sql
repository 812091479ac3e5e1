-- workers/deprecate: stop worker $1 from claiming.
select durable.deprecate_worker($1)
