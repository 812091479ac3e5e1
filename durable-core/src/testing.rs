//! What a test may change about the steps of an engine: their bodies, and what comes before and after each attempt.
//!
//! The crate `durable-test` is made of this. An engine that was built without replacements and hooks looks
//! at one `Option` in each attempt of a step, and is otherwise the same. An engine with them parks an execution for every retry
//! delay, however short, so that the database always says whether anything runs.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::Failure;
use crate::ids::ExecutionId;

/// A step or a compensation, by its workflow and its name in the journal. All versions of a workflow have the same names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StepName {
    /// The workflow whose block has the method.
    pub workflow: &'static str,
    /// The name of the step or the compensation.
    pub name: &'static str,
    /// Whether it is a compensation.
    pub is_compensation: bool,
}

impl<W: 'static, B: ?Sized> From<StepKey<W, B>> for StepName {
    fn from(key: StepKey<W, B>) -> Self {
        key.name
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_compensation { "compensation" } else { "step" };
        write!(f, "{kind} `{}` of workflow `{}`", self.name, self.workflow)
    }
}

/// A step or a compensation with the types of its method: `W` is its workflow, and `B` is the closure that may replace its body.
///
/// `#[workflow]` makes one for each step and each compensation; `durable_test::step!(ProcessOrder::charge)` returns it.
#[must_use = "a key only names a step"]
pub struct StepKey<W, B: ?Sized> {
    name: StepName,
    workflow: PhantomData<fn() -> W>,
    body: PhantomData<fn() -> Box<B>>,
}

/// Stands in the place of the body of a step that cannot be replaced, because its method has generic parameters.
#[derive(Debug)]
pub enum GenericStepsCannotBeReplaced {}

/// The body that replaces the body of a step, for [`Builder::replace_step`](crate::client::Builder::replace_step).
#[derive(Clone)]
#[must_use = "a replacement does nothing until an engine is built with it"]
pub struct Replacement {
    workflow: TypeId,
    name: StepName,
    body: Arc<dyn Any + Send + Sync>,
}

impl<W: 'static, B: ?Sized> StepKey<W, B> {
    /// The key of a step, by the names of its workflow and of the step.
    #[doc(hidden)]
    pub const fn step(workflow: &'static str, name: &'static str) -> Self {
        Self { name: StepName { workflow, name, is_compensation: false }, workflow: PhantomData, body: PhantomData }
    }

    /// The key of a compensation.
    #[doc(hidden)]
    pub const fn compensation(workflow: &'static str, name: &'static str) -> Self {
        Self { name: StepName { workflow, name, is_compensation: true }, workflow: PhantomData, body: PhantomData }
    }

    /// The names.
    pub fn name(&self) -> StepName {
        self.name
    }
}

impl<W: 'static, B: ?Sized + Send + Sync + 'static> StepKey<W, B> {
    /// Replaces the body of the step by this closure. The journal, retries, timeouts and compensations stay as they are.
    pub fn replace(&self, body: Box<B>) -> Replacement {
        Replacement { workflow: TypeId::of::<W>(), name: self.name, body: Arc::new(body) }
    }
}

impl<W, B: ?Sized> Clone for StepKey<W, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W, B: ?Sized> Copy for StepKey<W, B> {}

impl<W, B: ?Sized> fmt::Debug for StepKey<W, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StepKey").field(&self.name).finish()
    }
}

impl Replacement {
    /// The step whose body it replaces.
    pub fn name(&self) -> StepName {
        self.name
    }
}

impl fmt::Debug for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replacement").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One attempt at a step or a compensation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StepAttempt {
    /// The step.
    pub step: StepName,
    /// The execution that called the step.
    pub execution_id: ExecutionId,
    /// The journal key of the call.
    pub key: String,
    /// The number of the attempt: 1 for the first.
    pub number: u32,
}

/// What becomes of an attempt that is about to begin.
#[derive(Debug)]
#[non_exhaustive]
pub enum BeforeStep {
    /// Its body runs. The engine drops the value when the body has ended, or when the engine drops the body.
    Run(Box<dyn Any + Send + Sync>),
    /// The body is not called, and the attempt fails like this.
    Fail(Failure),
}

/// Code that an engine calls before and after the body of each attempt, for
/// [`Builder::step_hooks`](crate::client::Builder::step_hooks). The execution waits for it.
pub trait StepHooks: Send + Sync + 'static {
    /// Called when everything before the attempt is recorded.
    fn before(&self, attempt: StepAttempt) -> Pin<Box<dyn Future<Output = BeforeStep> + Send + '_>>;

    /// Called when the body has returned, panicked or timed out, before the outcome is recorded. `panicked` is the message of a
    /// panic.
    fn after<'a>(&'a self, attempt: StepAttempt, panicked: Option<&'a Failure>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

/// The replacements and the hooks of one engine.
#[derive(Clone, Default)]
pub(crate) struct Doubles {
    bodies: HashMap<(TypeId, StepName), Arc<dyn Any + Send + Sync>>,
    pub(crate) hooks: Option<Arc<dyn StepHooks>>,
}

impl Doubles {
    pub(crate) fn replace(&mut self, replacement: Replacement) {
        self.bodies.insert((replacement.workflow, replacement.name), replacement.body);
    }

    /// The body that replaces this one, if a test has replaced it.
    pub(crate) fn body<W: 'static, B: ?Sized + Send + Sync + 'static>(&self, key: &StepKey<W, B>) -> Option<Arc<Box<B>>> {
        let body = self.bodies.get(&(TypeId::of::<W>(), key.name))?;
        body.clone().downcast().ok()
    }
}

impl fmt::Debug for Doubles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.bodies.keys().map(|(_, name)| name);
        f.debug_struct("Doubles").field("bodies", &names.collect::<Vec<_>>()).field("hooked", &self.hooks.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One;
    struct Other;

    type Body = dyn Fn(&str) -> usize + Send + Sync;

    #[test]
    fn a_body_is_replaced_in_its_own_workflow_only() {
        let key = StepKey::<One, Body>::step("one", "count");
        let mut doubles = Doubles::default();
        doubles.replace(key.replace(Box::new(|text| text.len())));
        assert_eq!(doubles.body(&key).map(|body| body("four")), Some(4));
        assert!(doubles.body(&StepKey::<Other, Body>::step("one", "count")).is_none());
        assert!(doubles.body(&StepKey::<One, Body>::compensation("one", "count")).is_none());
    }
}
