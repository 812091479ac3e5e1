//! Gives the result of a step to inputs.

use chrono::{DateTime, Utc};

use super::shape::Shape;
use super::spec::Target;
use super::state::{Change, Standing, State};
use crate::error::Result;
use crate::payload::{self, Payload};

/// The values for the targets of a step, in their order: the result itself if there is one target, and the items of a tuple otherwise.
pub(crate) fn values_for(targets: &[Target], result: &Payload) -> Result<Vec<Payload>> {
    if let [_] = targets {
        return Ok(vec![result.clone()]);
    }
    let values: Vec<Box<serde_json::value::RawValue>> = payload::decode("the values that the step sets", result.as_str())?;
    Ok(values.into_iter().map(|value| Payload(value.get().into())).collect())
}

impl State {
    /// Gives inputs the values that the step has returned for them. All that change do so under one revision. An input that has an
    /// equal value stays as it is, with what was said about that value.
    pub(crate) fn set_targets(&mut self, shape: &Shape, step: usize, values: Vec<Payload>, at: DateTime<Utc>) {
        let mut changes = Vec::new();
        for (Target { node, silently }, json) in shape.nodes[step].sets.iter().copied().zip(values) {
            match &mut self.nodes[node].standing {
                Standing::Ready { value, .. } if value.has_same_json(&json) => {}
                Standing::Ready { value, .. } if silently => {
                    value.json = json;
                    self.unstored.insert(node);
                }
                // Nothing is there that could be replaced.
                _ if silently => {}
                _ => changes.push((node, Change::Set { json, metadata: None })),
            }
        }
        self.apply_change(shape, changes, at);
    }
}
