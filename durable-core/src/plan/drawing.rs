//! Draws the graph of a workflow, with or without the path of an execution: as Mermaid text and as SVG.

mod calls;
mod layered;
mod mermaid;
mod nodes;
mod path;
mod svg;
mod ways;

use crate::model::{ExecutionDetails, ExecutionGraph, Graph, GraphNode, NodeKind, NodeRun, NodeState};

impl Graph {
    /// The graph as a [Mermaid](https://mermaid.js.org) flowchart.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # struct Ship;
    /// # #[workflow] impl Ship {
    /// # async fn run(&self, _cx: &Context, order: u64) -> Result<()> { self.pack(order).await }
    /// # #[step] async fn pack(&self, _order: u64) -> Result<()> { Ok(()) }
    /// # }
    /// assert!(Ship::graph().to_mermaid().starts_with("flowchart TD\n"));
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        mermaid::write(&Drawing { graph: self, execution: None })
    }

    /// The graph as an SVG document: without scripts and links, in light or dark as the reader's system is, the same text each
    /// time.
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::write(&Drawing { graph: self, execution: None })
    }

    /// Draws the path of an execution on the graph: what it did at each node, and which edges it took. Calls of the execution that
    /// the graph lacks become nodes of their own.
    ///
    /// The journal has names and times, not places in the code. If several places make the same call, the path is a way through
    /// the graph that fits all calls. What compensations call is not drawn.
    #[must_use]
    pub fn with_execution(&self, details: &ExecutionDetails) -> ExecutionGraph {
        let graph = self.checked();
        if nodes::are_drawn(&graph) { nodes::draw(&graph, details) } else { path::draw(&graph, details) }
    }
}

impl ExecutionGraph {
    /// The graph and the path as a Mermaid flowchart; the class of a node is its [`NodeState`].
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        mermaid::write(&Drawing { graph: &self.graph, execution: Some(self) })
    }

    /// The graph and the path as an SVG document; the class of a node is `durable-` and its [`NodeState`].
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::write(&Drawing { graph: &self.graph, execution: Some(self) })
    }
}

/// What is drawn.
struct Drawing<'graph> {
    graph: &'graph Graph,
    execution: Option<&'graph ExecutionGraph>,
}

impl Drawing<'_> {
    fn run(&self, node: &GraphNode) -> Option<&NodeRun> {
        self.execution?.nodes.get(node.id as usize)
    }

    fn state(&self, node: &GraphNode) -> Option<NodeState> {
        self.run(node).map(|run| run.state)
    }

    /// Whether the execution took the edge of this place.
    fn is_taken(&self, edge: usize) -> bool {
        self.execution.is_some_and(|execution| execution.edges.get(edge).is_some_and(|times| *times > 0))
    }
}

/// What stands in a node: the label, after the kind where the shape does not say it.
fn title(node: &GraphNode) -> String {
    match node.kind {
        NodeKind::Sleep
        | NodeKind::Event
        | NodeKind::Topic
        | NodeKind::Input
        | NodeKind::Question
        | NodeKind::Timer
        | NodeKind::Flow
        | NodeKind::Child
        | NodeKind::Close
        | NodeKind::Set
        | NodeKind::Tag => {
            format!("{} {}", node.kind.as_str(), node.label)
        }
        NodeKind::Version => format!("version of {}", node.label),
        NodeKind::All => format!("events {}", node.label),
        NodeKind::Compensation => format!("undo: {}", node.label),
        NodeKind::Opaque => format!("{} ?", node.label),
        _ => node.label.clone(),
    }
}

/// What an execution did at a node, in a line: `09:30:01 · 1.2 s · 3 attempts · 2 times · failed`.
fn summary(run: &NodeRun) -> String {
    let mut parts = Vec::new();
    parts.extend(run.first_started_at.map(|at| at.format("%H:%M:%S").to_string()));
    parts.extend(run.took.map(took));
    if run.attempts > run.times.max(1) {
        parts.push(format!("{} attempts", run.attempts));
    }
    if run.times > 1 {
        parts.push(format!("{} times", run.times));
    }
    if !matches!(run.state, NodeState::NotReached | NodeState::Done) {
        parts.push(run.state.as_str().to_owned());
    }
    parts.join(" · ")
}

/// A duration in its two largest units.
fn took(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

#[cfg(test)]
mod tests;
