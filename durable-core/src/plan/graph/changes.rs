//! A message that changes a graph: values for inputs, inputs to unset, or its end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::spec::{NodeKind, NodeSpec};

/// Changes of inputs, which become one revision. `set_inputs.sql` writes the same.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InputChanges {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) set: BTreeMap<String, Box<RawValue>>,
    /// What is said about the values that are set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unset: Vec<String>,
    /// Ends the execution.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) complete: bool,
}

impl InputChanges {
    /// Why the message makes no sense for any graph.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let is_empty = self.set.is_empty() && self.unset.is_empty();
        if self.complete {
            return (!is_empty).then(|| "a message that ends the execution sets no inputs: send two messages".to_owned());
        }
        if is_empty {
            return Some("it changes nothing: set an input, or unset one".to_owned());
        }
        if let Some(name) = self.unset.iter().find(|name| self.set.contains_key(*name)) {
            return Some(format!("it sets and unsets the input `{name}`: do one of them"));
        }
        let without_value = self.metadata.keys().find(|name| !self.set.contains_key(*name));
        without_value.map(|name| format!("it has metadata for the input `{name}`, and no value: metadata belongs to a value"))
    }
}

/// The place of the input with this name, or why there is none.
pub(crate) fn find_input(nodes: &[NodeSpec], name: &str) -> Result<usize, String> {
    let is_called = |spec: &NodeSpec| spec.name == name || spec.was.contains(&name);
    let Some(place) = nodes.iter().position(is_called) else {
        let nearest = nearest(name, nodes).map_or_else(String::new, |nearest| format!(" (did you mean `{nearest}`?)"));
        return Err(format!("there is no input `{name}`{nearest}; {}", listed(nodes)));
    };
    match nodes[place].kind {
        NodeKind::Input { .. } => Ok(place),
        NodeKind::Question => {
            let cure = "answer it with `durable.provide_input`, or with `durable input give`";
            Err(format!("`{name}` is a question, and only inputs can be set and unset: {cure}; {}", listed(nodes)))
        }
        NodeKind::Step | NodeKind::Flow | NodeKind::Timer => {
            Err(format!("`{name}` is computed, and only inputs can be set and unset; {}", listed(nodes)))
        }
    }
}

fn listed(nodes: &[NodeSpec]) -> String {
    let names: Vec<&str> = inputs(nodes).collect();
    if names.is_empty() { "the graph has no inputs".to_owned() } else { format!("its inputs are {}", names.join(", ")) }
}

fn inputs(nodes: &[NodeSpec]) -> impl Iterator<Item = &'static str> {
    nodes.iter().filter(|spec| matches!(spec.kind, NodeKind::Input { .. })).map(|spec| spec.name)
}

/// The input whose name differs in the fewest letters, if those are less than half.
fn nearest(name: &str, nodes: &[NodeSpec]) -> Option<&'static str> {
    let near = |input: &&str| 2 * distance(name, input) < name.len().max(input.len());
    inputs(nodes).filter(near).min_by_key(|input| distance(name, input))
}

/// How many letters must be added, removed or replaced to make one text the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, theirs) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *theirs);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &'static str, kind: NodeKind) -> NodeSpec {
        NodeSpec { name, kind, ..NodeSpec::PLAIN }
    }

    fn nodes() -> Vec<NodeSpec> {
        let input = NodeKind::Input { optional: false };
        vec![node("applicant", input), node("documents", input), node("score", NodeKind::Step)]
    }

    #[test]
    fn an_unknown_input_is_refused_with_the_nearest_name_and_the_list() {
        assert_eq!(find_input(&nodes(), "documents"), Ok(1));
        assert_eq!(
            find_input(&nodes(), "aplicant").unwrap_err(),
            "there is no input `aplicant` (did you mean `applicant`?); its inputs are applicant, documents"
        );
        assert_eq!(find_input(&nodes(), "x").unwrap_err(), "there is no input `x`; its inputs are applicant, documents");
        let computed = "`score` is computed, and only inputs can be set and unset; its inputs are applicant, documents";
        assert_eq!(find_input(&nodes(), "score").unwrap_err(), computed);
    }

    #[test]
    fn a_message_that_makes_no_sense_says_why() {
        let contradiction = |text: &str| serde_json::from_str::<InputChanges>(text).unwrap().contradiction();
        assert_eq!(contradiction(r#"{"set":{"a":1},"unset":["b"],"metadata":{"a":"kg"}}"#), None);
        assert_eq!(contradiction(r#"{"complete":true}"#), None);
        for wrong in [
            "{}",
            r#"{"set":{"a":1},"unset":["a"]}"#,
            r#"{"unset":["b"],"metadata":{"b":1}}"#,
            r#"{"unset":["b"],"complete":true}"#,
        ] {
            assert!(contradiction(wrong).is_some(), "{wrong}");
        }
    }
}
