//! The type of `cx`; what workflow code may ask of it is in `context.rs`.

use std::sync::Arc;

use crate::running::scope::Scope;

/// What `run` asks the engine for: sleeps, events, answers, children, values, the time.
///
/// Every call takes its journal key when it is made, so calls must be made in the same order at every replay: await one before
/// you make the next, or use [`join!`](crate::join). A `Context` cannot be cloned or kept beyond `run`.
#[derive(Debug)]
pub struct Context {
    pub(super) root: Arc<Scope>,
}

impl Context {
    pub(crate) fn new(root: Arc<Scope>) -> Self {
        Self { root }
    }
}
