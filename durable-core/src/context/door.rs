//! The type of `cx`; what workflow code may ask of it is in `context.rs`.

use std::sync::Arc;

use crate::running::scope::Scope;

/// A workflow's door to the engine, given to `run`.
///
/// Every call takes its journal key when it is made, so calls must come in the same order at every replay: await one before
/// the next. It can be neither cloned nor kept beyond `run`.
#[derive(Debug)]
pub struct Context {
    pub(super) root: Arc<Scope>,
}

impl Context {
    pub(crate) fn new(root: Arc<Scope>) -> Self {
        Self { root }
    }
}
