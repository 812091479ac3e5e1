//! Says of a node which of its conditions are not met.

use super::shape::Shape;
use super::state::{Standing, State};
use super::{Gate, gate, has_only_latest};
use crate::model::Unmet;

/// The conditions of a node that are not met. Empty for a node that is being computed, or can be, and for one that was computed.
pub(crate) fn unmet(shape: &Shape, state: &State, node: usize) -> Vec<Unmet> {
    let has_value = state.node(node).value().is_some();
    if shape.is_input(node) {
        let is_missing = !has_value && !shape.is_optional(node);
        return is_missing.then_some(Unmet::NotGiven).into_iter().collect();
    }
    let name = |node: usize| shape.nodes[node].name.to_owned();
    let mut unmet = Vec::new();
    for edge in shape.edges(node) {
        let of = || name(edge.node);
        let condition = match gate(shape, state, edge) {
            _ if edge.policy.gates() && !state.is_current(edge.node) => Unmet::NotDecided { of: of() },
            Gate::Open => continue,
            Gate::Closed => Unmet::NoValue { of: of() },
            Gate::Skips => Unmet::SkippedWith { node: of() },
        };
        if !unmet.contains(&condition) {
            unmet.push(condition);
        }
    }
    if has_only_latest(shape, node) && shape.edges(node).all(|edge| state.node(edge.node).value().is_none()) {
        unmet.push(Unmet::NoneHasValue { of: shape.edges(node).map(|edge| name(edge.node)).collect() });
    }
    let is_skipped = matches!(state.node(node).standing, Standing::Skipped) && state.is_current(node);
    if unmet.is_empty() && is_skipped {
        unmet.push(Unmet::ConditionIsFalse);
    }
    unmet
}
