-- execution_values/since: read: the values of executions $1, except revisions $4 of the names $3 of executions $2. Nodes of a graph
-- that have no value are left out.
select execution_id, name, revision, set_at, state is not distinct from 'stale' as stale, value::text as value, metadata::text as metadata
from durable.execution_values
where execution_id = any ($1)
  and (state is null or state in ('ready', 'stale'))
  and not exists (
      select from unnest($2::uuid[], $3::text[], $4::int[]) as known (execution_id, name, revision)
      where known.execution_id = execution_values.execution_id
        and known.name = execution_values.name
        and known.revision = execution_values.revision
  )
order by name
