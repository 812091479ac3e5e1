//! The type of `cx`; what workflow code may ask of it is in `context.rs`.

use std::any::TypeId;
use std::sync::Arc;

use crate::running::scope::Scope;

/// What `run` asks the engine for: sleeps, events, answers, children, values, the time.
///
/// Every call takes its journal key when it is made, so calls must be made in the same order at every replay: await one before
/// you make the next, or use [`join!`](crate::join). A `Context` cannot be cloned or kept beyond `run`.
#[derive(Debug)]
pub struct Context {
    pub(super) root: Arc<Scope>,
    /// The input of the workflow; `None` in a compensation.
    pub(super) input: Option<InputType>,
    /// Whether it belongs to a node of a graph.
    pub(super) is_of_node: bool,
}

/// The type of an input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InputType {
    pub(super) id: TypeId,
    pub(super) name: &'static str,
}

impl Context {
    pub(crate) fn new(root: Arc<Scope>) -> Self {
        Self { root, input: None, is_of_node: false }
    }

    /// As [`new`](Self::new), for a node of a graph.
    pub(crate) fn of_node(scope: Arc<Scope>) -> Self {
        Self { is_of_node: true, ..Self::new(scope) }
    }

    /// As [`new`](Self::new), for the `run` of a workflow with this input.
    pub(crate) fn with_input<I: 'static>(self) -> Self {
        Self { input: Some(InputType { id: TypeId::of::<I>(), name: std::any::type_name::<I>() }), ..self }
    }
}
