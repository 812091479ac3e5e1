//! What a test has an engine do before and after the body of an attempt; without a test, nothing.

use std::any::Any;

use super::Call;
use crate::error::{ErrorKind, Failure};
use crate::testing::{BeforeStep, StepAttempt, StepName};

/// What becomes of an attempt that is about to begin.
pub(super) enum Intercepted {
    /// Its body runs; what is in it lives as long as the body.
    Run(Option<Box<dyn Any + Send + Sync>>),
    /// It fails without its body.
    Fail(Box<Failure>),
}

impl Call {
    pub(super) async fn before_body(&self, attempt: u32) -> Intercepted {
        let Some(hooks) = self.run.doubles.as_ref().and_then(|doubles| doubles.hooks.as_ref()) else {
            return Intercepted::Run(None);
        };
        // An attempt that has made durable calls has begun before, and goes on after a wait.
        if self.run.is_recorded_below(&self.path(attempt)) {
            return Intercepted::Run(None);
        }
        match hooks.before(self.step_attempt(attempt)).await {
            BeforeStep::Run(kept) => Intercepted::Run(Some(kept)),
            BeforeStep::Fail(failure) => Intercepted::Fail(Box::new(failure)),
        }
    }

    pub(super) async fn after_body(&self, attempt: u32, broke: Option<&Failure>) {
        let Some(hooks) = self.run.doubles.as_ref().and_then(|doubles| doubles.hooks.as_ref()) else { return };
        let panicked = broke.filter(|failure| failure.kind == ErrorKind::Panicked);
        hooks.after(self.step_attempt(attempt), panicked).await;
    }

    fn step_attempt(&self, number: u32) -> StepAttempt {
        let step = StepName { workflow: self.spec.workflow, name: self.spec.name, is_compensation: self.spec.is_compensation };
        StepAttempt { step, execution_id: self.run.owner.execution_id, key: self.key.clone(), number }
    }
}
