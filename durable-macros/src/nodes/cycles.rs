//! Finds cycles: a node of a cycle could never run, because each waits for another.

use super::model::{Graph, Node, Parameter};
use crate::errors::Errors;
use syn::ext::IdentExt as _;

/// Reports each cycle with its path, at the parameter that closes it and at the one where it begins.
pub(super) fn report(graph: &Graph<'_>, errors: &mut Errors) {
    let mut walk = Walk { graph, path: Vec::new(), done: vec![false; graph.nodes.len()], errors };
    for node in 0..graph.nodes.len() {
        walk.visit(node);
    }
}

struct Walk<'walk, 'block> {
    graph: &'walk Graph<'block>,
    /// The nodes from the first to the current one; each takes the next.
    path: Vec<usize>,
    done: Vec<bool>,
    errors: &'walk mut Errors,
}

impl<'walk, 'block> Walk<'walk, 'block> {
    fn visit(&mut self, place: usize) {
        if self.done[place] {
            return;
        }
        self.path.push(place);
        let graph = self.graph;
        for parameter in graph.nodes[place].parameters() {
            let Some(taken) = parameter.node else { continue };
            match self.path.iter().position(|earlier| *earlier == taken) {
                Some(_) if taken == place => self.refuse_own_value(parameter),
                Some(start) => self.refuse(start, parameter),
                None => self.visit(taken),
            }
        }
        self.path.pop();
        self.done[place] = true;
    }

    fn refuse_own_value(&mut self, parameter: &Parameter<'block>) {
        if let Some(name) = parameter.name {
            self.errors.at(name, format!("`{name}` cannot take its own value: it would have to run before itself"));
        }
    }

    fn refuse(&mut self, start: usize, closing: &Parameter<'block>) {
        let cycle = &self.path[start..];
        let names: Vec<String> = cycle.iter().map(|place| self.name(*place)).collect();
        let backwards: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        let path = format!("{} → {}", names[0], backwards.join(" → "));
        let takes_next = |parameter: &&Parameter<'block>| parameter.node == cycle.get(1).copied();
        let opening = self.node(cycle[0]).parameters().find(takes_next).and_then(|parameter| parameter.name);
        let cure = "each of these nodes would wait for the others";
        if let Some(name) = closing.name {
            self.errors.at(name, format!("this parameter closes a cycle: {path}; {cure}"));
        }
        if let Some(name) = opening {
            self.errors.at(name, format!("this parameter is part of a cycle: {path}; {cure}"));
        }
    }

    fn node(&self, place: usize) -> &'walk Node<'block> {
        &self.graph.nodes[place]
    }

    fn name(&self, place: usize) -> String {
        self.node(place).ident().unraw().to_string()
    }
}
