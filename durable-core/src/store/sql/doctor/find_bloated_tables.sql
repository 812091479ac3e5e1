-- doctor/find_bloated_tables: tables of schema $1 with over $2 dead rows that are over a fifth of all.
select format('%I.%I', schemaname, relname) as name, n_dead_tup as dead, n_live_tup as live
from pg_stat_user_tables
where schemaname = $1 and n_dead_tup > $2 and n_dead_tup > (n_dead_tup + n_live_tup) / 5
order by name
