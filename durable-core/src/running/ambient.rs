//! What the code on this thread runs inside of: an execution, a step's body, or neither.

use std::cell::RefCell;
use std::sync::Arc;

use super::scope::Scope;
use super::step_handle::StepHandle;
use crate::testing::Doubles;

/// What is being polled.
#[derive(Debug, Clone)]
pub(crate) enum Ambient {
    /// Workflow code: steps are journalled.
    Flow(Arc<Scope>),
    /// A step's body: steps called here just run.
    Step(StepHandle),
}

thread_local! {
    static CURRENT: RefCell<Option<Ambient>> = const { RefCell::new(None) };
}

/// Calls `poll` with the surroundings in place, and puts back what was there before, also after a panic.
pub(crate) fn enter<T>(ambient: Ambient, poll: impl FnOnce() -> T) -> T {
    struct Restore(Option<Ambient>);

    impl Drop for Restore {
        fn drop(&mut self) {
            let before = self.0.take();
            CURRENT.with(|current| *current.borrow_mut() = before);
        }
    }

    let _restore = Restore(CURRENT.with(|current| current.borrow_mut().replace(ambient)));
    poll()
}

/// The scope whose workflow code is being polled, if any.
pub(crate) fn scope() -> Option<Arc<Scope>> {
    CURRENT.with(|current| match &*current.borrow() {
        Some(Ambient::Flow(scope)) => Some(scope.clone()),
        _ => None,
    })
}

/// Whether the body of a step is being polled.
pub(crate) fn in_step() -> bool {
    CURRENT.with(|current| matches!(&*current.borrow(), Some(Ambient::Step(_))))
}

/// What a test has replaced in the engine whose code is being polled.
pub(crate) fn doubles() -> Option<Arc<Doubles>> {
    CURRENT.with(|current| match &*current.borrow() {
        Some(Ambient::Flow(scope)) => scope.run.doubles.clone(),
        Some(Ambient::Step(step)) => step.doubles(),
        None => None,
    })
}

/// The step in which this code runs. Outside an execution, as in a unit test, it looks like a first attempt.
pub fn step() -> StepHandle {
    attempt().unwrap_or_else(StepHandle::outside)
}

/// The attempt whose body is being polled, if any.
pub(crate) fn attempt() -> Option<StepHandle> {
    CURRENT.with(|current| match &*current.borrow() {
        Some(Ambient::Step(step)) => Some(step.clone()),
        Some(Ambient::Flow(scope)) => scope.attempt.clone(),
        None => None,
    })
}
