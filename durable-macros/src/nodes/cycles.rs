//! Finds cycles: a node of a cycle could never run, because each waits for another.

use super::model::Graph;
use crate::errors::Errors;
use syn::Ident;
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
        for link in links(graph, place) {
            match self.path.iter().position(|earlier| *earlier == link.to) {
                Some(_) if link.to == place => self.refuse_own_value(&link),
                Some(start) => self.refuse(start, &link),
                None => self.visit(link.to),
            }
        }
        self.path.pop();
        self.done[place] = true;
    }

    fn refuse_own_value(&mut self, link: &Link<'block>) {
        if let Some(name) = link.token {
            self.errors.at(name, format!("`{name}` cannot take its own value: it would have to run before itself"));
        }
    }

    fn refuse(&mut self, start: usize, closing: &Link<'block>) {
        let cycle = &self.path[start..];
        let names: Vec<String> = cycle.iter().map(|place| self.name(*place)).collect();
        let backwards: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        let path = format!("{} → {}", names[0], backwards.join(" → "));
        let graph: &'walk Graph<'block> = self.graph;
        let pairs = cycle.iter().zip(cycle.iter().skip(1));
        let mut taken = pairs.filter_map(|(from, to)| links(graph, *from).into_iter().find(|link| link.to == *to));
        let opening = taken.next();
        let sets = opening.iter().cloned().chain(taken).chain([closing.clone()]).find(|link| link.sets);
        let cure = match &sets {
            Some(link) => {
                let name = link.token.map(|name| name.unraw().to_string()).unwrap_or_default();
                format!(
                    "the step would run again because of what it sets itself; `sets(silently({name}))` changes the value, and nothing runs because of that"
                )
            }
            None => "each of these nodes would wait for the others".to_owned(),
        };
        let mut said: Vec<*const Ident> = Vec::new();
        for (link, does) in [(Some(closing.clone()), "closes"), (opening, "is part of"), (sets, "is part of")] {
            let Some((name, is_set)) = link.and_then(|link| Some((link.token?, link.sets))) else { continue };
            if !said.contains(&std::ptr::from_ref(name)) {
                said.push(name);
                let what = if is_set { "`sets`" } else { "parameter" };
                self.errors.at(name, format!("this {what} {does} a cycle: {path}; {cure}"));
            }
        }
    }

    fn name(&self, place: usize) -> String {
        self.graph.nodes[place].ident().unraw().to_string()
    }
}

/// One node depends on another, because of a parameter or because the other sets it.
#[derive(Clone)]
struct Link<'block> {
    to: usize,
    /// Where that is written; `None` for a parameter that is a pattern.
    token: Option<&'block Ident>,
    sets: bool,
}

fn links<'block>(graph: &Graph<'block>, place: usize) -> Vec<Link<'block>> {
    let taken = graph.nodes[place].parameters();
    let taken = taken.filter_map(|parameter| Some(Link { to: parameter.node?, token: parameter.name, sets: false }));
    let set = graph.nodes.iter().enumerate().flat_map(|(step, node)| {
        let loudly = node.sets.iter().filter(move |(set, input)| *input == Some(place) && !set.silently);
        loudly.map(move |(set, _)| Link { to: step, token: Some(&set.name), sets: true })
    });
    taken.chain(set).collect()
}
