//! The graph under construction: what the next node follows, and what is inside which branch.

/// With more nodes than this, no further helper is walked through: helpers that call helpers would multiply without end. The body
/// that the walk is in is still drawn whole.
pub(super) const MOST_NODES: usize = 400;

#[derive(Default)]
pub(super) struct Flow {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    /// The ends that the next node is to follow. None: the place cannot be reached.
    pub(super) loose: Vec<Loose>,
    /// The branch that is being read: its fork, and its number.
    pub(super) branch: Option<(usize, usize)>,
}

pub(super) struct Node {
    pub(super) kind: &'static str,
    pub(super) label: String,
    /// The name in the journal; empty if the kind has none, and if it is known only at run time.
    pub(super) name: Name,
    pub(super) branch: Option<(usize, usize)>,
}

pub(super) enum Name {
    Text(String),
    /// The name of the workflow that is this type.
    OfWorkflow(Box<syn::Type>),
}

pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: String,
}

/// An end of an edge that has not reached its node yet.
#[derive(Clone)]
pub(super) struct Loose {
    from: usize,
    label: String,
}

/// A place to which a drawing can be taken back.
pub(super) struct Mark {
    nodes: usize,
    edges: usize,
    loose: Vec<Loose>,
}

impl Loose {
    /// With a label, unless it has one.
    pub(super) fn labelled(self, label: &str) -> Self {
        if self.label.is_empty() { Self { label: label.to_owned(), ..self } } else { self }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::Text(name.to_owned())
    }
}

impl Flow {
    /// Adds a node behind all loose ends; it is the only loose end then. `None` if no execution can reach it.
    pub(super) fn add(&mut self, kind: &'static str, label: &str, name: impl Into<Name>) -> Option<usize> {
        if !self.is_reachable() && kind != "start" {
            return None;
        }
        let node = self.nodes.len();
        self.nodes.push(Node { kind, label: label.to_owned(), name: name.into(), branch: self.branch });
        self.lead_to(node);
        self.go_on_from(node, "");
        Some(node)
    }

    /// Adds the node that undoes the step at a node, or finds it.
    pub(super) fn undo(&mut self, step: usize, name: &str) {
        let found = self.nodes.iter().position(|node| node.kind == "compensation" && node.label == name);
        let node = found.unwrap_or_else(|| {
            self.nodes.push(Node { kind: "compensation", label: name.to_owned(), name: name.into(), branch: None });
            self.nodes.len() - 1
        });
        self.edge(step, node, "undo");
    }

    /// Whether an execution can reach this place.
    pub(super) fn is_reachable(&self) -> bool {
        !self.loose.is_empty()
    }

    /// Goes on from a node only.
    pub(super) fn go_on_from(&mut self, node: usize, label: &str) {
        self.loose = vec![Loose { from: node, label: label.to_owned() }];
    }

    /// Ends all loose ends at a node.
    pub(super) fn lead_to(&mut self, node: usize) {
        for Loose { from, label } in std::mem::take(&mut self.loose) {
            self.edge(from, node, &label);
        }
    }

    fn edge(&mut self, from: usize, to: usize, label: &str) {
        match self.edges.iter_mut().find(|edge| edge.from == from && edge.to == to) {
            Some(edge) if edge.label == label => {}
            Some(edge) => edge.label = super::text::cut(&format!("{} or {label}", edge.label)),
            None => self.edges.push(Edge { from, to, label: label.to_owned() }),
        }
    }

    /// Takes the loose ends away: the place behind them cannot be reached from here.
    pub(super) fn take_loose(&mut self) -> Vec<Loose> {
        std::mem::take(&mut self.loose)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { nodes: self.nodes.len(), edges: self.edges.len(), loose: self.loose.clone() }
    }

    /// Takes back what was added since the mark.
    pub(super) fn take_back(&mut self, mark: Mark) {
        self.nodes.truncate(mark.nodes);
        self.edges.truncate(mark.edges);
        self.loose = mark.loose;
    }

    /// Whether a durable call, or one that cannot be seen, was added since the mark.
    pub(super) fn is_durable_since(&self, mark: &Mark) -> bool {
        self.nodes[mark.nodes..].iter().any(|node| !matches!(node.kind, "decision" | "loop"))
    }

    /// How many nodes were added since the mark.
    pub(super) fn added_since(&self, mark: &Mark) -> usize {
        self.nodes.len() - mark.nodes
    }
}
