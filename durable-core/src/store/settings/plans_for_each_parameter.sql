-- settings/plans_for_each_parameter: the planner in sessions for what people ask, with filters that may be null. A statement is
-- planned for its parameters each time: a filter that is null costs nothing, and the others find their indexes.
set plan_cache_mode = force_custom_plan;
set enable_indexscan = on;
set enable_indexonlyscan = on;
set enable_bitmapscan = on;
set enable_seqscan = on;
set enable_hashjoin = on;
set enable_nestloop = on;
set enable_sort = on;
set join_collapse_limit = 8;
set from_collapse_limit = 8;
-- Figures about a million executions sort and hash in memory.
set work_mem = '64MB';
set jit = off;
