-- settings/plans_for_any_parameters: the planner in sessions of workers. A plan made while the tables are empty must still be right
-- when they are full. Every statement finds its rows by an array of ids or by the index it is written for, and joins what it found
-- by hash.
set plan_cache_mode = force_generic_plan;
set enable_indexscan = on;
set enable_indexonlyscan = on;
set enable_hashjoin = on;
set join_collapse_limit = 8;
set from_collapse_limit = 8;
set enable_seqscan = off;
set enable_bitmapscan = off;
set enable_nestloop = off;
set enable_sort = off;
set jit = off;
