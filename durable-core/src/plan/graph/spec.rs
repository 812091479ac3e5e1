//! A node as the macro describes it: its name, what it takes, and what becomes of its failure.

use std::time::Duration;

/// A node of a graph, as its attribute describes it.
#[derive(Debug, Clone, Copy)]
pub struct NodeSpec {
    /// Its name in values, journal keys and messages.
    pub name: &'static str,
    /// Names it had before.
    pub was: &'static [&'static str],
    /// Whether it is given or computed.
    pub kind: NodeKind,
    /// What its code takes, in the order of the parameters. Empty for an input.
    pub takes: &'static [Edge],
    /// What its condition takes. Empty if it has no condition.
    pub when: &'static [Edge],
    /// How long it waits before it runs, once what it takes is there.
    pub delay: Option<Duration>,
    /// The inputs to which its result is given.
    pub sets: &'static [Target],
    /// What becomes of the execution if it fails.
    pub on_failure: OnFailure,
    /// Whether its value is the output of the execution.
    pub is_output: bool,
    /// Whether the execution is over after it.
    pub ends: bool,
    /// Whether the execution is archived when it is over after this node.
    pub archives: bool,
    /// How many of its newest values are kept, the present one included; 0 for none but the present one.
    pub history: u32,
}

impl NodeSpec {
    /// A step that takes nothing and has no options. A description names what is different, so that a new option changes only the
    /// nodes that have it.
    pub const PLAIN: Self = Self {
        name: "",
        was: &[],
        kind: NodeKind::Step,
        takes: &[],
        when: &[],
        delay: None,
        sets: &[],
        on_failure: OnFailure::Fail,
        is_output: false,
        ends: false,
        archives: false,
        history: 0,
    };
}

impl NodeSpec {
    /// Whether its step runs for each item of a list.
    pub(crate) fn is_each(&self) -> bool {
        self.takes.iter().any(|edge| edge.policy == Policy::Each)
    }
}

/// Whether a node is given or computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// Clients set it.
    Input {
        /// Whether the graph can complete without it.
        optional: bool,
    },
    /// A step computes it.
    Step,
    /// A step computes it that makes durable calls of its own.
    Flow,
    /// A person answers it.
    Question,
    /// A step computes when it fires, and its value is the time for which it has.
    Timer,
}

/// A node that another node takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Its place in the list of nodes.
    pub node: usize,
    /// How it is taken.
    pub policy: Policy,
}

/// An input to which the result of a step is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The place of the input in the list of nodes.
    pub node: usize,
    /// Whether it is no change: the input keeps its revision, and nothing that takes it runs again.
    pub silently: bool,
}

/// For which states of the other node a parameter waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Waits for a value.
    Needs,
    /// Waits until the node has a value or is skipped.
    Settled,
    /// Waits until the node has a value or is skipped, and takes the items of the value one by one.
    Each,
    /// Waits until the node has a value, is skipped or has failed.
    SeesFailure,
    /// Does not wait.
    Latest,
}

/// What becomes of the execution if a node fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// It fails.
    Fail,
    /// The node counts as skipped.
    Skip,
}
