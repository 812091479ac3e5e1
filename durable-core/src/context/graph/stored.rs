//! The nodes of a graph as rows among the values of its execution.

use chrono::{DateTime, Utc};

use super::door::Door;
use crate::error::{Failure, Result};
use crate::model::{NewNode, NewValue, NodeDetails, NodeRecord, NodeWait, StoredNode, ValueState};
use crate::payload::{self, Payload};
use crate::plan::graph::restored::{Restored, Stored};
use crate::plan::graph::shape::Shape;
use crate::plan::graph::spec::NodeKind;
use crate::plan::graph::state::{NodeState, Standing, State, Value};
use crate::plan::graph::unmet::unmet;

/// The row of a node.
pub(super) fn to_row(shape: &Shape, place: usize, node: &NodeState) -> Result<NewValue> {
    let (name, state, value) = (shape.nodes[place].name, state_of(node), node.value());
    let record = NodeRecord {
        takes: shape.signature(place),
        cause: node.cause,
        // Most nodes change in no other way than by their value: their rows are shorter by a third.
        state_revision: (node.state_at != node.value_at).then_some(node.state_at),
        change_revision: (node.change_at != node.state_at).then_some(node.change_at),
        error: node.failure().cloned().map(Box::new),
        timer: node.timer,
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
            history: Some(shape.nodes[place].history).filter(|kept| *kept > 0 && state.has_value()),
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

/// The nodes of a graph as people see them: all that the graph has, whether anything is stored of them or not. Before anything is
/// stored, they are what they are with the inputs of the start.
pub(crate) fn shown(door: &Door, rows: Vec<StoredNode>, start: &Payload, started_at: DateTime<Utc>) -> Vec<NodeDetails> {
    // A graph with a cycle is refused before anything of it is stored.
    let Ok(shape) = Shape::of(door.nodes.iter().copied()) else { return rows.into_iter().map(NodeDetails::from).collect() };
    let since: Vec<(Option<usize>, DateTime<Utc>)> = rows.iter().map(|row| (shape.find(&row.name), row.set_at)).collect();
    let has_begun = !rows.is_empty();
    let mut state = State::restored(&shape, from_rows(&shape, rows, Vec::new()));
    if !has_begun {
        state.begin(&shape, door.judge_start(start).unwrap_or_default(), started_at);
    }
    let show = |place: usize| {
        let (node, unmet) = (state.node(place), unmet(&shape, &state, place));
        let is_outstanding = !state.is_current(place) && unmet.is_empty();
        let waits_for = match shape.nodes[place].kind {
            NodeKind::Question if is_outstanding => Some(NodeWait::Answer),
            NodeKind::Timer => state.timer(&shape, place).map(|timer| NodeWait::Time { at: timer.next, every: timer.every }),
            _ => None,
        };
        NodeDetails {
            name: shape.nodes[place].name.to_owned(),
            state: state_of(node),
            revision: node.value_at,
            since: since.iter().find(|(of, _)| *of == Some(place)).map(|(_, at)| *at),
            error: node.failure().cloned(),
            is_outstanding,
            waits_for,
            unmet: if node.value().is_some() && state.is_current(place) { Vec::new() } else { unmet },
        }
    };
    (0..shape.nodes.len()).map(show).collect()
}

/// What the rows say of the nodes of the graph, together with the causes of the runs that are journalled. Rows of nodes that the
/// graph no longer has stay as they are; only their revisions count.
pub(super) fn from_rows(shape: &Shape, rows: Vec<StoredNode>, begun: Vec<(usize, u32)>) -> Restored {
    let newest = rows.iter().map(|row| row.record.cause.max(changed_at(row))).max().unwrap_or(0);
    let has_row: Vec<bool> = shape.nodes.iter().map(|spec| rows.iter().any(|row| row.name == spec.name)).collect();
    let stored = |row: StoredNode| {
        let node = shape.find(&row.name)?;
        // A node that was renamed, and was written again since, has two rows.
        if has_row[node] && shape.nodes[node].name != row.name {
            return None;
        }
        let (value_at, state_at, change_at) = (row.revision, settled_at(&row), changed_at(&row));
        let NodeRecord { cause, takes, error, timer, .. } = row.record;
        let took_the_same = shape.takes_the_same(node, &takes);
        let value = Value { json: row.value, metadata: row.metadata, set_at: row.set_at };
        let standing = match row.state {
            ValueState::Unset => Standing::Unset,
            ValueState::Ready | ValueState::Stale => Standing::Ready { value, stale: error },
            ValueState::Skipped => Standing::Skipped,
            ValueState::Failed => Standing::Failed(error.unwrap_or_else(|| Box::new(unknown_failure()))),
        };
        Some(Stored { node, standing, value_at, state_at, change_at, cause, timer, took_the_same })
    };
    Restored { nodes: rows.into_iter().filter_map(stored).collect(), newest, begun }
}

/// The revision since which the node has its value, is skipped, or has nothing.
fn settled_at(row: &StoredNode) -> u32 {
    row.record.state_revision.unwrap_or(row.revision)
}

/// The revision of the last change of the node.
fn changed_at(row: &StoredNode) -> u32 {
    row.record.change_revision.unwrap_or_else(|| settled_at(row))
}

fn unknown_failure() -> Failure {
    Failure::new(crate::error::ErrorKind::Failed, "it says no more")
}
