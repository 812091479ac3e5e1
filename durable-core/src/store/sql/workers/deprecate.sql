-- workers/deprecate: have worker $1 claim nothing more.
select durable.deprecate_worker($1)
