-- doctor/find_invalid_indexes: indexes of schema $1 that Postgres does not use, because their creation was interrupted.
select format('%I.%I', namespace.nspname, relation.relname) as name
from pg_index
join pg_class as relation on relation.oid = pg_index.indexrelid
join pg_namespace as namespace on namespace.oid = relation.relnamespace
where namespace.nspname = $1 and not pg_index.indisvalid
order by name
