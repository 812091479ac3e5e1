//! What the parameters of a node may be besides values: a node that may have failed, one that does not gate, one with its facts.

use std::ops::Deref;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::payload::Json;

/// A parameter that also sees a failure: the node runs when the other one has a value, was skipped or has failed.
///
/// ```
/// use durable::prelude::*;
///
/// struct Listing;
///
/// #[workflow]
/// impl Listing {
///     #[input]
///     fn address(&self) -> String;
///
///     #[step(on_failure = skip)]
///     async fn photo(&self, address: &str) -> Result<String> {
///         Err(Error::permanent(format!("no street view of {address}")))
///     }
///
///     #[step]
///     async fn page(&self, address: &str, photo: Settled<&String>) -> Result<String> {
///         Ok(match photo {
///             Settled::Ready(photo) => format!("{address} with {photo}"),
///             Settled::Skipped => format!("{address} without a photo"),
///             Settled::Failed(failure) => format!("{address} without a photo: {}", failure.message),
///         })
///     }
/// }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settled<T> {
    /// The node has this value.
    Ready(T),
    /// The node was skipped, or is an optional input without a value.
    Skipped,
    /// The node has failed.
    Failed(Failure),
}

impl<T> Settled<T> {
    /// The value, if there is one.
    pub fn ready(self) -> Option<T> {
        match self {
            Self::Ready(value) => Some(value),
            Self::Skipped | Self::Failed(_) => None,
        }
    }

    /// The failure, if there is one.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Ready(_) | Self::Skipped => None,
        }
    }

    /// Whether the node has a value.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Ready(_))
    }

    /// Whether the node was skipped, or is an optional input without a value.
    pub fn is_skipped(&self) -> bool {
        matches!(self, Self::Skipped)
    }

    /// The same with the value borrowed. The failure is cloned.
    pub fn as_ref(&self) -> Settled<&T> {
        match self {
            Self::Ready(value) => Settled::Ready(value),
            Self::Skipped => Settled::Skipped,
            Self::Failed(failure) => Settled::Failed(failure.clone()),
        }
    }

    /// The same with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Settled<U> {
        match self {
            Self::Ready(value) => Settled::Ready(change(value)),
            Self::Skipped => Settled::Skipped,
            Self::Failed(failure) => Settled::Failed(failure),
        }
    }
}

/// A parameter that the node does not wait for: the node runs with the value that is there, or with `None`, and again when the
/// value changes.
///
/// A node whose parameters are all `Latest` runs when the first of them has a value.
///
/// ```
/// use durable::prelude::*;
///
/// struct Contact;
///
/// #[workflow(open)]
/// impl Contact {
///     #[input]
///     fn email(&self) -> String;
///
///     #[input]
///     fn phone(&self) -> String;
///
///     #[step]
///     async fn reach(&self, email: Latest<&String>, phone: Latest<&String>) -> Result<String> {
///         Ok(format!("{:?} or {:?}", *email, *phone))
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Latest<T>(pub Option<T>);

impl<T> Latest<T> {
    /// The value, if there is one.
    pub fn into_option(self) -> Option<T> {
        self.0
    }

    /// The same with the value borrowed.
    pub fn as_ref(&self) -> Latest<&T> {
        Latest(self.0.as_ref())
    }

    /// The same with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Latest<U> {
        Latest(self.0.map(change))
    }
}

impl<T> Deref for Latest<T> {
    type Target = Option<T>;

    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

/// A parameter that gets a value together with its revision, its metadata and the time at which it was set. The node waits for
/// the value as for `T`.
///
/// ```
/// use durable::prelude::*;
///
/// struct Audit;
///
/// #[workflow(open)]
/// impl Audit {
///     #[input]
///     fn price(&self) -> u64;
///
///     #[step]
///     async fn entry(&self, price: Given<&u64>) -> Result<String> {
///         Ok(format!("{} since {} (revision {})", price.value, price.set_at, price.revision))
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// The revision of the execution at which the node got this value.
    pub revision: u32,
    /// When the node got this value, by the database's clock.
    pub set_at: DateTime<Utc>,
    /// What was said about the value when it was set.
    pub metadata: Option<Json>,
    /// Whether the value is out of date because its recomputation had failed when this step ran. A step does not run again because a
    /// value becomes stale.
    pub stale: bool,
}

impl<T> Given<T> {
    /// The same with the value borrowed. The metadata is cloned.
    pub fn as_ref(&self) -> Given<&T> {
        let Self { value, revision, set_at, metadata, stale } = self;
        Given { value, revision: *revision, set_at: *set_at, metadata: metadata.clone(), stale: *stale }
    }

    /// The same with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Given<U> {
        let Self { value, revision, set_at, metadata, stale } = self;
        Given { value: change(value), revision, set_at, metadata, stale }
    }
}

impl<T> Deref for Given<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
