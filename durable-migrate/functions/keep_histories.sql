-- keep_histories: add the values of accepted executions to the histories of their nodes, and delete all but the newest `kept`
-- values of a node. A value without `kept` belongs to no history. A repeated write adds the values of the
-- checkpoints that it has recorded: `recorded` has their executions and keys. A value whose revision the history has takes the place of
-- that one: it was set silently.
create or replace function durable.keep_histories(
    accepted uuid[],
    recorded text[],
    execution_ids uuid[],
    keys text[],
    names text[],
    contents text[],
    metadata text[],
    revisions int[],
    set_ats timestamptz[],
    kept int[]
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    insert into durable.node_history as known (execution_id, set_at, revision, name, value, metadata)
    select distinct on (execution_id, name, revision)
        execution_id, coalesce(set_at, durable.now()), revision, name, content::json, added.metadata::json
    from unnest(execution_ids, keys, names, contents, keep_histories.metadata, revisions, set_ats, keep_histories.kept)
        with ordinality as added (execution_id, key, name, content, metadata, revision, set_at, kept, nth)
    where kept is not null
      and execution_id = any (accepted)
      and (recorded is null or concat_ws(' ', execution_id, key) = any (recorded))
    order by execution_id, name, revision, nth desc
    on conflict on constraint node_history_pkey do update
    set value = excluded.value
    where known.value::text <> excluded.value::text;

    delete from durable.node_history as oldest
    using (
        select execution_id, name, max(kept) as kept
        from unnest(execution_ids, names, keep_histories.kept) as added (execution_id, name, kept)
        where kept is not null and execution_id = any (accepted)
        group by execution_id, name
    ) as node
    where oldest.execution_id = any (accepted)
      and oldest.execution_id = node.execution_id
      and oldest.name = node.name
      and oldest.revision <= (
          select newer.revision
          from durable.node_history as newer
          where newer.execution_id = node.execution_id and newer.name = node.name
          order by newer.revision desc
          offset node.kept
          limit 1
      );
end
$$;
