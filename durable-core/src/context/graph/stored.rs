//! The nodes of a graph as rows among the values of its execution.

use chrono::{DateTime, Utc};

use super::door::Door;
use crate::error::{Failure, Result};
use crate::model::{NewNode, NewValue, NodeDetails, NodeRecord, StoredNode, ValueState};
use crate::payload::{self, Payload};
use crate::plan::graph::shape::Shape;
use crate::plan::graph::state::{NodeState, Standing, State, Stored, Value};
use crate::plan::graph::unmet::unmet;

/// The row of a node.
pub(super) fn to_row(name: &str, node: &NodeState) -> Result<NewValue> {
    let (state, value) = (state_of(node), node.value());
    let record = NodeRecord {
        cause: node.cause,
        // Most nodes change in no other way than by their value: their rows are shorter by a third.
        state_revision: (node.state_at != node.value_at).then_some(node.state_at),
        change_revision: (node.change_at != node.state_at).then_some(node.change_at),
        error: node.failure().cloned().map(Box::new),
    };
    Ok(NewValue {
        name: name.to_owned(),
        value: value.map_or_else(Payload::null, |value| value.json.clone()),
        metadata: value.and_then(|value| value.metadata.clone()),
        node: Some(NewNode {
            state,
            revision: node.value_at,
            set_at: value.map(|value| value.set_at),
            record: payload::encode(format_args!("the state of the node `{name}`"), &record)?,
        }),
    })
}

fn state_of(node: &NodeState) -> ValueState {
    match &node.standing {
        Standing::Unset => ValueState::Unset,
        Standing::Ready { stale: None, .. } => ValueState::Ready,
        Standing::Ready { stale: Some(_), .. } => ValueState::Stale,
        Standing::Skipped => ValueState::Skipped,
        Standing::Failed(_) => ValueState::Failed,
    }
}

/// The nodes of a graph as people see them: all that the graph has, whether anything is stored of them or not.
pub(crate) fn shown(door: &Door, rows: Vec<StoredNode>) -> Vec<NodeDetails> {
    // A graph with a cycle is refused before anything of it is stored.
    let Ok(shape) = Shape::of(door.nodes.iter().copied()) else { return rows.into_iter().map(NodeDetails::from).collect() };
    let since: Vec<(Option<usize>, DateTime<Utc>)> = rows.iter().map(|row| (shape.find(&row.name), row.set_at)).collect();
    let state = State::restored(&shape, from_rows(&shape, rows));
    let show = |place: usize| {
        let (node, unmet) = (state.node(place), unmet(&shape, &state, place));
        NodeDetails {
            name: shape.nodes[place].name.to_owned(),
            state: state_of(node),
            revision: node.value_at,
            since: since.iter().find(|(of, _)| *of == Some(place)).map(|(_, at)| *at),
            error: node.failure().cloned(),
            is_outstanding: !state.is_current(place) && unmet.is_empty(),
            unmet: if node.value().is_some() && state.is_current(place) { Vec::new() } else { unmet },
        }
    };
    (0..shape.nodes.len()).map(show).collect()
}

/// The rows that belong to nodes of the graph. Rows of nodes that the graph no longer has stay as they are.
pub(super) fn from_rows(shape: &Shape, rows: Vec<StoredNode>) -> Vec<Stored> {
    let has_row: Vec<bool> = shape.nodes.iter().map(|spec| rows.iter().any(|row| row.name == spec.name)).collect();
    let stored = |row: StoredNode| {
        let node = shape.find(&row.name)?;
        // A node that was renamed, and was written again since, has two rows.
        if has_row[node] && shape.nodes[node].name != row.name {
            return None;
        }
        let NodeRecord { cause, state_revision, change_revision, error } = row.record;
        let value = Value { json: row.value, metadata: row.metadata, set_at: row.set_at };
        let standing = match row.state {
            ValueState::Unset => Standing::Unset,
            ValueState::Ready | ValueState::Stale => Standing::Ready { value, stale: error },
            ValueState::Skipped => Standing::Skipped,
            ValueState::Failed => Standing::Failed(error.unwrap_or_else(|| Box::new(unknown_failure()))),
        };
        let value_at = row.revision;
        let state_at = state_revision.unwrap_or(value_at);
        let change_at = change_revision.unwrap_or(state_at);
        Some(Stored { node, standing, value_at, state_at, change_at, cause })
    };
    rows.into_iter().filter_map(stored).collect()
}

fn unknown_failure() -> Failure {
    Failure::new(crate::error::ErrorKind::Failed, "it says no more")
}
