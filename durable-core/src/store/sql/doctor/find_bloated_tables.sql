-- doctor/find_bloated_tables: tables of schema $1 with over $2 dead rows, and over three times the number at which autovacuum should start.
select format('%I.%I', schemaname, relname) as name, n_dead_tup as dead, n_live_tup as live
from pg_stat_user_tables
join (
    select
        pg_class.oid as relid,
        coalesce(
            (select option_value from pg_options_to_table(reloptions) where option_name = 'autovacuum_vacuum_threshold'),
            current_setting('autovacuum_vacuum_threshold')
        )::float8 as threshold,
        coalesce(
            (select option_value from pg_options_to_table(reloptions) where option_name = 'autovacuum_vacuum_scale_factor'),
            current_setting('autovacuum_vacuum_scale_factor')
        )::float8 as scale
    from pg_class
) as autovacuum using (relid)
where schemaname = $1 and n_dead_tup > $2 and n_dead_tup > 3 * (threshold + scale * n_live_tup)
order by name
