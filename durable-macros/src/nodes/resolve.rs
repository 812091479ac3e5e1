//! Finds the form of a block, and the node that each parameter of a graph names.

use super::each::Each;
use super::flows;
use super::model::{Graph, Kind, Node, Parameter};
use super::policy::Taking;
use crate::model::{self, Form, Member, Workflow};
use syn::ext::IdentExt as _;
use syn::{Ident, Pat, PatType};

impl Workflow {
    /// A block with `run` is a flow. One without is a graph if it says so; otherwise its `run` was forgotten.
    pub(crate) fn form(&self) -> Option<Form<'_>> {
        if let Some(run) = self.run() {
            return Some(Form::Flow(run));
        }
        if self.members.iter().any(|member| matches!(member, Member::UnreadableRun)) {
            return None;
        }
        let graph = self.graph();
        (self.looks_like_a_graph(&graph)).then_some(Form::Graph(graph))
    }

    fn looks_like_a_graph(&self, graph: &Graph<'_>) -> bool {
        let has_an_edge = |node: &Node<'_>| node.parameters().any(|parameter| parameter.node.is_some());
        self.open.is_some()
            || self.inputs().next().is_some()
            || self.questions().next().is_some()
            || self.steps().any(|step| step.node.flow)
            || self.steps().any(|step| step.node.places().next().is_some())
            || graph.nodes.iter().any(has_an_edge)
    }

    fn graph(&self) -> Graph<'_> {
        let called = flows::called(self);
        let kinds = self.members.iter().filter_map(|member| match member {
            Member::Input(input) => Some(Kind::Input(input)),
            Member::Step(step) if called.contains(&step.method.name()) => None,
            Member::Step(step) => Some(Kind::Step(step)),
            Member::Question(question) => Some(Kind::Question(question)),
            _ => None,
        });
        let mut nodes: Vec<Node<'_>> =
            kinds.map(|kind| Node { kind, takes: Vec::new(), when: Vec::new(), sets: Vec::new() }).collect();
        let names: Vec<&Ident> = nodes.iter().map(Node::ident).collect();
        for node in &mut nodes {
            let Some(options) = node.options() else { continue };
            let arguments: Vec<&PatType> = match node.kind {
                Kind::Input(_) => Vec::new(),
                // `cx` names no node.
                Kind::Step(step) => step.arguments().filter(|argument| !model::is_context(&argument.ty)).collect(),
                Kind::Question(question) => question.method.parameters().collect(),
            };
            let takes = arguments
                .into_iter()
                .map(|argument| item(argument, options.each.as_ref(), &names).unwrap_or_else(|| resolved(argument, &names)));
            node.takes = takes.collect();
            let when = options.when.iter().flat_map(|when| &when.parameters);
            node.when = when.map(|parameter| resolved(parameter, &names)).collect();
            node.sets = options.sets.iter().map(|set| (set, place_of(&set.name, &names))).collect();
        }
        Graph { nodes }
    }
}

/// The parameter that takes an item of a list, if this is it.
fn item<'block>(written: &'block PatType, each: Option<&'block Each>, names: &[&Ident]) -> Option<Parameter<'block>> {
    let each = each.filter(|each| name_of(written).is_some_and(|name| name.unraw() == each.item.unraw()))?;
    let node = place_of(&each.list, names);
    Some(Parameter { written, name: Some(&each.list), taking: Taking::item(&written.ty), node })
}

fn resolved<'block>(written: &'block PatType, names: &[&Ident]) -> Parameter<'block> {
    let name = name_of(written);
    let node = name.and_then(|name| place_of(name, names));
    Parameter { written, name, taking: Taking::of(&written.ty), node }
}

fn name_of(written: &PatType) -> Option<&Ident> {
    match &*written.pat {
        Pat::Ident(pattern) if pattern.subpat.is_none() => Some(&pattern.ident),
        _ => None,
    }
}

fn place_of(name: &Ident, names: &[&Ident]) -> Option<usize> {
    names.iter().position(|known| known.unraw() == name.unraw())
}
