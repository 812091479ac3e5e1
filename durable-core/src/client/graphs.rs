//! Stores the graphs of the registered workflows, and draws executions on graphs.

use super::Durable;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{ExecutionGraph, Graph};
use crate::plan::nearest::nearest;
use crate::registry::Registry;
use crate::store::workflow_graphs::{self, NewGraph};
use crate::store::{self, Patience, Store};

/// How many names a refusal lists.
const MOST_NAMES: usize = 3;

impl Durable {
    /// The graph of an execution's workflow with the path of the execution on it. This program need not have the code: the worker
    /// that started with it has kept the graph.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// let graph = durable.graph(id).await?;
    /// std::fs::write("execution.svg", graph.to_svg())?;
    /// println!("{}", graph.to_mermaid());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution, and if no graph is kept of its workflow in its version: no worker of this release has
    /// started with it.
    pub async fn graph(&self, id: ExecutionId) -> Result<ExecutionGraph> {
        let details = self.get_execution(id).await?;
        let execution = &details.execution;
        let graph = self.workflow_graph(&execution.workflow, execution.version).await?;
        Ok(graph.with_execution(&details))
    }

    /// The graph of a workflow by its name, in one version, or with `None` in its newest. This program need not have the code.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let newest = durable.workflow_graph("process_order", None).await?;
    /// let first = durable.workflow_graph("process_order", 1).await?;
    /// println!("{} nodes, and {} in version 1", newest.nodes.len(), first.nodes.len());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` if no graph is kept for this name and version; it says which names or versions are near.
    pub async fn workflow_graph(&self, workflow: &str, version: impl Into<Option<u32>>) -> Result<Graph> {
        let version = version.into();
        let find = |pool| workflow_graphs::find(self.store(), pool, workflow, version);
        if let Some(graph) = self.run("read the graph of a workflow", find).await? {
            return Ok(graph);
        }
        let known = self.run("list the graphs of workflows", |pool| workflow_graphs::list(self.store(), pool)).await?;
        Err(Error::of_kind(ErrorKind::NotFound, unknown(workflow, version, &known)))
    }
}

/// Keeps the graphs of the workflows that a worker has registered. If that fails, the worker starts all the same.
pub(super) async fn keep(store: &Store, registry: &Registry, patience: Patience) {
    let graphs: Vec<NewGraph> = registry.graphs().filter_map(as_json).collect();
    let kept = store::run("keep the graphs of workflows", patience, || workflow_graphs::keep(store, &store.pool, &graphs)).await;
    if let Err(error) = kept {
        tracing::warn!(%error, "could not store the graphs of workflows; `durable workflow graph` may show outdated graphs");
    }
}

fn as_json(graph: Graph) -> Option<NewGraph> {
    // A workflow that the macro has not made has no nodes.
    let json = serde_json::to_string(&graph).ok().filter(|_| !graph.nodes.is_empty())?;
    Some(NewGraph { workflow: graph.workflow, version: graph.version, graph: json })
}

/// Why there is no graph, and what there is instead.
fn unknown(workflow: &str, version: Option<u32>, known: &[(String, u32)]) -> String {
    let versions: Vec<String> =
        known.iter().filter(|(name, _)| name == workflow).map(|(_, version)| version.to_string()).collect();
    if let (Some(version), false) = (version, versions.is_empty()) {
        return format!(
            "no graph of workflow `{workflow}` version {version} is kept; kept versions: {}. Workers keep graphs when they start",
            versions.join(", ")
        );
    }
    let mut names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    let near: Vec<String> = nearest(workflow, &names, MOST_NAMES).into_iter().map(|name| format!("`{name}`")).collect();
    let instead = match near.as_slice() {
        [] => "check the name, and that a worker has started with it".to_owned(),
        near => format!("did you mean {}?", near.join(" or ")),
    };
    format!("no graph of a workflow `{workflow}` is kept; {instead}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_refusal_names_what_is_near() {
        let known = [("process_order".to_owned(), 1), ("process_order".to_owned(), 2), ("newsletter".to_owned(), 1)];
        let refusal = |workflow, version| super::unknown(workflow, version, &known);
        assert!(refusal("proces_order", None).ends_with("did you mean `process_order`?"));
        assert!(refusal("process_order", Some(3)).contains("kept versions: 1, 2."));
        assert!(refusal("something_else", Some(3)).ends_with("check the name, and that a worker has started with it"));
    }
}
