//! A node as the macro describes it: its name, what it takes, and what becomes of its failure.

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
    /// What becomes of the execution if it fails.
    pub on_failure: OnFailure,
    /// Whether its value is the output of the execution.
    pub is_output: bool,
    /// Whether the execution is over after it.
    pub ends: bool,
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
        on_failure: OnFailure::Fail,
        is_output: false,
        ends: false,
    };
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

/// For which states of the other node a parameter waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Waits for a value.
    Needs,
    /// Waits until the node has a value or is skipped.
    Settled,
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
