-- workflow_graphs/keep: upkeep: keep the graphs $3 of the workflows $1 in the versions $2 if they are new or have changed; of these
-- workflows, keep the newest $4 versions and those given.
with given as (
    select workflow, version, graph
    from unnest($1::text[], $2::int[], $3::text[]) as given (workflow, version, graph)
),
ranked as (
    select workflow, version, row_number() over (partition by workflow order by version desc) as place
    from (
        select workflow, version
        from given
        union
        select workflow, version
        from durable.workflow_graphs
        where workflow = any ($1)
    ) as known
),
-- Workers that start at once may delete and write the same rows. What another holds is left to the next start.
superfluous as materialized (
    select graphs.workflow, graphs.version
    from durable.workflow_graphs as graphs
    join ranked on graphs.workflow = ranked.workflow and graphs.version = ranked.version
    where ranked.place > $4
      and not exists (
          select from given where given.workflow = graphs.workflow and given.version = graphs.version
      )
    order by graphs.workflow, graphs.version
    for update of graphs skip locked
),
deleted as (
    delete from durable.workflow_graphs as graphs
    using superfluous
    where graphs.workflow = superfluous.workflow and graphs.version = superfluous.version
)
insert into durable.workflow_graphs (workflow, version, graph, kept_at)
select given.workflow, given.version, given.graph::json, now.at
from given
cross join durable.present as now
where not exists (
    select
    from durable.workflow_graphs as known
    where known.workflow = given.workflow
      and known.version = given.version
      and known.graph::text = given.graph
)
order by given.workflow, given.version
on conflict on constraint workflow_graphs_pkey do update set graph = excluded.graph, kept_at = excluded.kept_at
