//! Waits: for a time, an event, an answer, a child.

mod child_call;
mod closing;
mod event;
mod input;
mod several;
mod timed;
mod waiting;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Due, WaitKind, WaitOutcome};
use crate::running::scope::Scope;

pub use closing::CloseEvents;
pub use event::EventWait;
pub use input::{Answer, Approval, InputWait};
pub use several::{AllWait, Received, TimedAllWait};
pub use timed::{TimedWait, WaitOr, WaitOrFail};

pub(super) use child_call::{ChildCall, Place, UndoableChild, trace_context, undo_child};
pub(super) use timed::{Awaited, awaits, shows_its_key};
pub(super) use waiting::{LONGEST_NAME, Waiting};

/// A sleep; see [`Context::sleep`](super::Context::sleep).
#[must_use = "a sleep does nothing until it is awaited"]
pub struct Sleep {
    waiting: Waiting<'static>,
}

impl Sleep {
    pub(super) fn new(scope: &Arc<Scope>, due: Due) -> Self {
        let mut waiting = Waiting::new(scope, WaitKind::Sleep, "");
        waiting.due = due;
        Self { waiting }
    }

    /// A sleep under a key that is not taken from the scope.
    pub(super) fn under_key(scope: &Arc<Scope>, key: &str, duration: Duration) -> Self {
        let mut waiting = Waiting::under_key(scope, WaitKind::Sleep, key);
        waiting.due = Due::After(duration);
        Self { waiting }
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.waiting).poll(cx).map(|over| match over.outcome {
            Some(WaitOutcome::Cancelled) => Err(Error::of_kind(ErrorKind::Cancelled, "the sleep was cancelled")),
            _ => Ok(()),
        })
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sleep").field(&self.waiting.key).finish()
    }
}
