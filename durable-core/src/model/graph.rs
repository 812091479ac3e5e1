//! A workflow as a graph: its durable calls, branches, loops and ways out, as plain data.

use serde::{Deserialize, Serialize};

/// A workflow as a graph. [`Workflow::graph`](crate::context::Workflow::graph) has it for a type, and
/// [`Durable::workflow_graph`](crate::client::Durable::workflow_graph) for a name.
///
/// The macro reads it from the text of `run` and of the helper methods in the same block. What it cannot see through is a node of
/// the kind [`Opaque`](NodeKind::Opaque). The way out of `run` that `?` takes is not drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Graph {
    /// The name of the workflow.
    pub workflow: String,
    /// The version of the workflow.
    pub version: u32,
    /// Whether its nodes are the calls of `run`, or inputs and steps that take each other's values.
    #[serde(default, skip_serializing_if = "GraphForm::is_flow")]
    pub form: GraphForm,
    /// Its nodes. The id of a node is its place in this list.
    pub nodes: Vec<GraphNode>,
    /// Its edges, by the node that they begin at.
    pub edges: Vec<GraphEdge>,
}

/// What the nodes of a [`Graph`] are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GraphForm {
    /// The durable calls of a workflow with `run`.
    #[default]
    Flow,
    /// The inputs and steps of a workflow without `run`.
    Graph,
}

impl GraphForm {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
    fn is_flow(&self) -> bool {
        *self == Self::Flow
    }
}

/// A node of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GraphNode {
    /// Its place among the nodes, from 0.
    pub id: u32,
    /// What it is.
    pub kind: NodeKind,
    /// What people read, without the kind: the name of a step, or source text such as `days(30)`.
    pub label: String,
    /// The name in the journal, by which the entries of an execution find the node. `None` if the kind has no name, and if the name
    /// is only known when it runs, such as that of `cx.wait_for_event(&name)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Names that a node of a workflow without `run` had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub was: Vec<String>,
    /// The branch that it is in; `None` outside of branches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<GraphBranch>,
}

/// One of several branches that run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GraphBranch {
    /// The node at which the branches part.
    pub fork: u32,
    /// The number of the branch, from 0. All items of a map are in branch 0.
    pub number: u32,
}

/// An edge of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GraphEdge {
    /// The node it begins at.
    pub from: u32,
    /// The node it leads to.
    pub to: u32,
    /// What it means.
    pub kind: EdgeKind,
    /// When it is taken, such as `else`, or the pattern of a `match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// What a node of a [`Graph`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeKind {
    /// Where an execution begins.
    Start,
    /// Where it ends.
    End,
    /// A step.
    Step,
    /// A sleep.
    Sleep,
    /// A wait for an event, or for the first of several.
    Event,
    /// A wait for all of several events.
    All,
    /// A wait for a topic.
    Topic,
    /// A value from outside: an input of a graph, or a question to a person in a flow.
    Input,
    /// A question to a person, as a node of a graph.
    Question,
    /// A node of a graph that is a flow.
    Flow,
    /// A timer of a graph.
    Timer,
    /// A child execution.
    Child,
    /// `cx.close_events`.
    Close,
    /// `cx.set`.
    Set,
    /// `cx.tag`.
    Tag,
    /// `cx.version`.
    Version,
    /// `cx.continue_as_new`.
    ContinueAsNew,
    /// `join!`.
    Join,
    /// `try_join!`.
    TryJoin,
    /// `race!`.
    Race,
    /// `cx.map(…).each(…)`.
    Map,
    /// Where branches meet again.
    Merge,
    /// `if`, `match`, `let … else`.
    Decision,
    /// `loop`, `while`, `for`.
    Loop,
    /// What undoes a step.
    Compensation,
    /// Code that may make durable calls and cannot be seen through.
    Opaque,
    /// A kind that this release does not know.
    #[serde(other)]
    Other,
}

/// What an edge of a [`Graph`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EdgeKind {
    /// The node that it leads to comes next.
    Next,
    /// The code goes back: a loop, or `continue_as_new`.
    Back,
    /// What it leads to undoes what it begins at.
    Undo,
    /// What it leads to needs the value of what it begins at.
    Dependency,
    /// What it leads to is not in the graph: an execution was seen to make the call.
    Seen,
    /// A meaning that this release does not know.
    #[serde(other)]
    Other,
}

/// The graph of `run` as the macro writes it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Flow {
    /// For each node: kind, label, name in the journal, and branch as `fork/number`; empty where there is none.
    pub nodes: &'static [[&'static str; 4]],
    /// For each edge: the nodes, and the label.
    pub edges: &'static [(u32, u32, &'static str)],
}

impl Flow {
    /// The graph of a workflow that the macro has not made.
    pub const EMPTY: Self = Self { nodes: &[], edges: &[] };

    /// The graph under the name and version of the workflow.
    pub(crate) fn graph(&self, workflow: &str, version: u32) -> Graph {
        let node = |(id, [kind, label, name, branch]): (u32, &[&str; 4])| GraphNode {
            id,
            kind: NodeKind::of_word(kind),
            label: (*label).to_owned(),
            name: non_empty(name),
            was: Vec::new(),
            branch: branch
                .split_once('/')
                .and_then(|(fork, number)| Some(GraphBranch { fork: fork.parse().ok()?, number: number.parse().ok()? })),
        };
        let nodes: Vec<GraphNode> = (0..).zip(self.nodes).map(node).collect();
        let edge = |&(from, to, label): &(u32, u32, &str)| {
            let undoes = nodes.get(to as usize).is_some_and(|node| node.kind == NodeKind::Compensation);
            let kind = match () {
                () if undoes => EdgeKind::Undo,
                // The macro numbers nodes in the order of the text.
                () if to <= from => EdgeKind::Back,
                () => EdgeKind::Next,
            };
            GraphEdge { from, to, kind, label: non_empty(label) }
        };
        let mut edges: Vec<GraphEdge> = self.edges.iter().map(edge).collect();
        edges.sort_by_key(|edge| edge.from);
        Graph { workflow: workflow.to_owned(), version, form: GraphForm::Flow, nodes, edges }
    }
}

impl Graph {
    /// The same graph if every id is a place among the nodes. Otherwise nodes are numbered anew, and edges and branches that lead
    /// nowhere are left out: a graph from a database may have been written by hand.
    pub(crate) fn checked(&self) -> Self {
        let mut graph = self.clone();
        let count = u32::try_from(graph.nodes.len()).unwrap_or(u32::MAX);
        for (id, node) in (0..).zip(&mut graph.nodes) {
            node.id = id;
            node.branch = node.branch.filter(|branch| branch.fork < count);
        }
        graph.edges.retain(|edge| edge.from < count && edge.to < count);
        graph
    }
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl NodeKind {
    /// Every known kind.
    const ALL: [Self; 26] = [
        Self::Start,
        Self::End,
        Self::Step,
        Self::Sleep,
        Self::Event,
        Self::All,
        Self::Topic,
        Self::Input,
        Self::Question,
        Self::Flow,
        Self::Timer,
        Self::Child,
        Self::Close,
        Self::Set,
        Self::Tag,
        Self::Version,
        Self::ContinueAsNew,
        Self::Join,
        Self::TryJoin,
        Self::Race,
        Self::Map,
        Self::Merge,
        Self::Decision,
        Self::Loop,
        Self::Compensation,
        Self::Opaque,
    ];

    /// The word in JSON. For calls it is also the kind in journal keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
            Self::Step => "step",
            Self::Sleep => "sleep",
            Self::Event => "event",
            Self::All => "all",
            Self::Topic => "topic",
            Self::Input => "input",
            Self::Question => "question",
            Self::Flow => "flow",
            Self::Timer => "timer",
            Self::Child => "child",
            Self::Close => "close",
            Self::Set => "set",
            Self::Tag => "tag",
            Self::Version => "version",
            Self::ContinueAsNew => "continue_as_new",
            Self::Join => "join",
            Self::TryJoin => "try_join",
            Self::Race => "race",
            Self::Map => "map",
            Self::Merge => "merge",
            Self::Decision => "decision",
            Self::Loop => "loop",
            Self::Compensation => "compensation",
            Self::Opaque => "opaque",
            Self::Other => "other",
        }
    }

    pub(crate) fn of_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).unwrap_or(Self::Other)
    }

    /// Whether branches part here.
    pub fn is_fork(self) -> bool {
        matches!(self, Self::Join | Self::TryJoin | Self::Race | Self::Map)
    }

    /// Whether an execution that comes by leaves an entry in its journal.
    pub(crate) fn is_recorded(self) -> bool {
        self.is_fork()
            || matches!(
                self,
                Self::Step
                    | Self::Sleep
                    | Self::Event
                    | Self::All
                    | Self::Topic
                    | Self::Input
                    | Self::Child
                    | Self::Close
                    | Self::Set
                    | Self::Tag
            )
    }

    /// Whether it is not certain that an execution which comes by leaves an entry: a fork without calls in its branches leaves
    /// none.
    pub(crate) fn may_leave_nothing(self) -> bool {
        self.is_fork() || matches!(self, Self::Set | Self::Tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: Flow = Flow {
        nodes: &[
            ["start", "start", "", ""],
            ["race", "race", "", ""],
            ["step", "charge", "charge", "1/0"],
            ["merge", "first", "", ""],
            ["compensation", "refund", "refund", ""],
        ],
        edges: &[(0, 1, ""), (2, 4, "undo"), (1, 2, "if"), (2, 3, ""), (3, 0, "loop")],
    };

    #[test]
    fn the_data_of_the_macro_becomes_a_graph() {
        let graph = FLOW.graph("pay", 2);
        let kinds: Vec<EdgeKind> = graph.edges.iter().map(|edge| edge.kind).collect();
        assert_eq!(kinds, [EdgeKind::Next, EdgeKind::Next, EdgeKind::Undo, EdgeKind::Next, EdgeKind::Back]);
        assert_eq!(graph.nodes[2].branch, Some(GraphBranch { fork: 1, number: 0 }));
        assert_eq!((graph.nodes[2].name.as_deref(), graph.nodes[1].name.as_deref()), (Some("charge"), None));
    }

    #[test]
    fn a_graph_reads_back_from_its_json_also_with_kinds_of_a_later_release() {
        let graph = FLOW.graph("pay", 2);
        let json = serde_json::to_string(&graph).unwrap();
        assert_eq!(serde_json::from_str::<Graph>(&json).unwrap(), graph);
        let later =
            json.replace("\"race\",\"label\"", "\"teleport\",\"label\"").replace("\"undo\",\"label\"", "\"redo\",\"label\"");
        let later: Graph = serde_json::from_str(&later).unwrap();
        assert_eq!((later.nodes[1].kind, later.edges[2].kind), (NodeKind::Other, EdgeKind::Other));
    }

    #[test]
    fn a_graph_that_was_written_by_hand_leads_nowhere_else() {
        let mut graph = FLOW.graph("pay", 2);
        assert_eq!(graph.checked(), graph);
        graph.nodes[2].id = 70;
        graph.nodes[3].branch = Some(GraphBranch { fork: 70, number: 0 });
        graph.edges[0].to = 70;
        let checked = graph.checked();
        assert_eq!((checked.nodes[2].id, checked.nodes[3].branch, checked.edges.len()), (2, None, 4));
    }

    #[test]
    fn every_kind_reads_back_from_its_word() {
        for kind in NodeKind::ALL {
            assert_eq!(NodeKind::of_word(kind.as_str()), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
