//! A node of a graph, as it is shown, and the conditions that it waits for.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ValueState;
use super::wait::time;
use crate::error::Failure;

/// A node of a graph: what it has come to, and why it has come to no more. Its value is among the values of the execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeDetails {
    /// Its name.
    pub name: String,
    /// What it has come to.
    pub state: ValueState,
    /// The revision of its value, or the one since which it has none; 0 if it never had one.
    pub revision: u32,
    /// When that was recorded, by the database's clock; `None` if nothing is recorded of the node.
    pub since: Option<DateTime<Utc>>,
    /// Why it has failed, or why its value is out of date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// Whether it is being computed, or can be.
    pub is_outstanding: bool,
    /// What it waits for, if it does not compute; `None` if the graph is not registered in the process that asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<NodeWait>,
    /// The conditions that are not met, without which it is not computed. Empty for a node that is outstanding or has its value, and
    /// if the graph is not registered in the process that asks.
    pub unmet: Vec<Unmet>,
}

/// What a node that is outstanding waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeWait {
    /// A person's answer to its question.
    Answer,
    /// The time at which it fires.
    Time {
        /// When it fires next.
        at: DateTime<Utc>,
        /// How long after that it fires again; `None` for a timer that fires once.
        every: Option<Duration>,
    },
}

impl fmt::Display for NodeWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer => f.write_str("it waits for an answer"),
            Self::Time { at, every: None } => write!(f, "it fires at {}", time(*at)),
            Self::Time { at, every: Some(every) } => write!(
                f,
                "it fires at {} and every {every:?} from then, so the graph goes on until a node with `ends`, `durable.complete`, a \
                 cancel or the timeout ends it",
                time(*at)
            ),
        }
    }
}

/// A condition of a node that is not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unmet {
    /// The input must be given.
    NotGiven,
    /// A node that it takes has no value.
    NoValue {
        /// The name of that node.
        of: String,
    },
    /// A node that it takes is being computed, or waits for one that is.
    NotDecided {
        /// The name of that node.
        of: String,
    },
    /// It is skipped, because a node that it needs was skipped or has failed.
    SkippedWith {
        /// The name of that node.
        node: String,
    },
    /// It takes the latest values of these nodes, and none has one.
    NoneHasValue {
        /// The names of the nodes.
        of: Vec<String>,
    },
    /// Its own condition does not hold for the present values.
    ConditionIsFalse,
    /// It has a delay, which is not over.
    StartsAt {
        /// When the delay is over, by the database's clock.
        at: DateTime<Utc>,
    },
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGiven => f.write_str("it must be given"),
            Self::NoValue { of } => write!(f, "`{of}` has no value"),
            Self::NotDecided { of } => write!(f, "`{of}` is not decided"),
            Self::SkippedWith { node } => write!(f, "`{node}` was skipped or has failed"),
            Self::NoneHasValue { of } => write!(f, "none of `{}` has a value", of.join("`, `")),
            Self::ConditionIsFalse => f.write_str("its condition does not hold"),
            Self::StartsAt { at } => write!(f, "it starts at {}", time(*at)),
        }
    }
}

impl fmt::Display for NodeDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}", self.name, self.state.as_str())?;
        if let Some(since) = self.since {
            write!(f, ", revision {}, since {}", self.revision, time(since))?;
        }
        if let Some(error) = &self.error {
            write!(f, ", because of an error: {error}")?;
        }
        match &self.waits_for {
            Some(wait) => write!(f, "; {wait}")?,
            None if self.is_outstanding => f.write_str("; it is being computed")?,
            None => {}
        }
        for (nth, unmet) in self.unmet.iter().enumerate() {
            write!(f, "{} {unmet}", if nth == 0 { ":" } else { ", and" })?;
        }
        Ok(())
    }
}
