//! An execution in a test: what it waits for, what is given to it, how it ends, and what its journal says.

use std::fmt;
use std::sync::Arc;

use durable::testing::StepName;
use durable::{Error, ExecutionDetails, ExecutionHandle, ExecutionId, ExecutionState, Result, Wait, Workflow};
use sqlx::types::Uuid;

use crate::rest::Watch;
use crate::state;
use crate::test::Inner;

/// An execution of `W` in a test; cheap to clone.
pub struct Execution<W> {
    inner: Arc<Inner>,
    handle: ExecutionHandle<W>,
}

impl<W: Workflow> Execution<W> {
    pub(crate) fn new(inner: Arc<Inner>, handle: ExecutionHandle<W>) -> Self {
        Self { inner, handle }
    }

    /// Its id.
    pub fn id(&self) -> ExecutionId {
        self.handle.id()
    }

    /// Its handle.
    pub fn handle(&self) -> &ExecutionHandle<W> {
        &self.handle
    }

    /// Returns when it waits for this: an input, event or topic by its name, a child by its workflow, `"sleep"`, or a journal
    /// key.
    ///
    /// # Errors
    /// At once if it has ended, or rests and waits for something else: only the test can change that. The error has its whole
    /// state.
    pub async fn until_waiting_for(&self, name: &str) -> Result<()> {
        let mut watch = Watch::new();
        loop {
            // Before the second look: what rests now cannot have changed in between.
            let rests = watch.look(&self.inner, &format!("until an execution waits for `{name}`")).await?;
            let details = self.details().await?;
            if open(&details).any(|wait| is_for(wait, name)) {
                return Ok(());
            }
            if rests || details.execution.state.is_finished() {
                return self.refuse(format!("execution {} does not wait for `{name}`, and will not by itself", self.id())).await;
            }
            watch.pause().await;
        }
    }

    /// Answers a question, once the execution asks it.
    ///
    /// # Errors
    /// As for [`until_waiting_for`](Self::until_waiting_for) and [`Durable::provide_input`](durable::Durable::provide_input).
    pub async fn answer<T: serde::Serialize + ?Sized>(&self, name: &str, answer: &T) -> Result<()> {
        self.until_waiting_for(name).await?;
        self.inner.client().provide_input(self.id(), name, answer).await.map(drop)
    }

    /// Sends an event, whether or not the execution waits for it yet.
    ///
    /// # Errors
    /// As for [`Durable::send_event`](durable::Durable::send_event).
    pub async fn send<T: serde::Serialize + ?Sized>(&self, event: &str, payload: &T) -> Result<()> {
        self.inner.client().send_event(self.id(), event, payload).await.map(drop)
    }

    /// The output of the execution, or its error, if nothing more is given to it. Time passes as far as that takes: as in
    /// [`Test::advance`](crate::Test::advance), from one due time to the next.
    ///
    /// # Errors
    /// As for [`ExecutionHandle::result`]. If the execution waits for something that does not come by itself, such as an answer
    /// without a timeout; the error has its whole state. And as for [`Test::advance`](crate::Test::advance).
    pub async fn result(&self) -> Result<W::Output> {
        let inner = &self.inner;
        inner.rest("until an execution ends").await?;
        let mut last = None;
        for _ in 0..inner.most_due_times() {
            let state = self.handle.execution().await?.state;
            if state.is_finished() || state == ExecutionState::Stopped {
                return self.handle.result().await;
            }
            match inner.fire_next(None).await?.pop() {
                None => return self.refuse(format!("execution {} does not end by itself: nothing is due", self.id())).await,
                fired => last = fired,
            }
        }
        Err(inner.too_many(last.as_ref()))
    }

    /// The execution with its steps, waits, compensations and children, once everything is at rest.
    ///
    /// # Errors
    /// As for [`Test::rest`](crate::Test::rest).
    pub async fn at_rest(&self) -> Result<ExecutionDetails> {
        self.inner.rest("while the test looks at an execution").await?;
        self.details().await
    }

    /// The execution with its steps, waits, compensations and children, as it is now.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn details(&self) -> Result<ExecutionDetails> {
        self.inner.client().get_execution(self.id()).await
    }

    /// The whole state as text, as the errors of this crate show it.
    pub async fn describe(&self) -> String {
        state::describe(self.inner.client(), self.id()).await
    }

    /// The journal keys of everything that was recorded, in that order: steps by their ends, waits by their ends or else their
    /// begin. For example `step charge`, `sleep`, `input approval`.
    ///
    /// # Errors
    /// As for [`Test::rest`](crate::Test::rest).
    pub async fn journal(&self) -> Result<Vec<String>> {
        self.inner.rest("while the test reads a journal").await?;
        let keys = sqlx::query_scalar(include_str!("sql/journal.sql"));
        Ok(keys.bind(Uuid::from(self.id())).fetch_all(self.inner.pool()).await?)
    }

    /// How many attempts at this step or compensation were made, over all calls of the execution.
    ///
    /// # Errors
    /// As for [`Test::rest`](crate::Test::rest).
    pub async fn attempts(&self, step: impl Into<StepName>) -> Result<usize> {
        let (step, details) = (step.into(), self.at_rest().await?);
        if step.is_compensation {
            let undone = undone_by::<W>(step.name);
            let of_step = details.compensations.iter().filter(|done| undone.iter().any(|step| is_call_of(&done.step, step)));
            return Ok(of_step.map(|done| done.attempts.len()).sum());
        }
        Ok(details.steps.iter().filter(|call| is_call_of(&call.key, step.name)).map(|call| call.attempts.len()).sum())
    }

    /// Checks the journal: see [`journal`](Self::journal).
    ///
    /// # Errors
    /// If the journal is another one; the error has both, and the whole state.
    pub async fn assert_journal<K: AsRef<str>>(&self, expected: impl IntoIterator<Item = K>) -> Result<()> {
        let found = self.journal().await?;
        self.compare("journal", expected, found).await
    }

    /// Checks how many attempts at a step were made: see [`attempts`](Self::attempts).
    ///
    /// # Errors
    /// If there were more or fewer; the error has the whole state.
    pub async fn assert_attempts(&self, step: impl Into<StepName>, expected: usize) -> Result<()> {
        let step = step.into();
        match self.attempts(step).await? {
            found if found == expected => Ok(()),
            found => self.refuse(format!("{step} has {found} attempts, not {expected}")).await,
        }
    }

    /// Checks what the execution waits for, once it rests: all open waits, by their journal keys, in the order in which they
    /// began.
    ///
    /// # Errors
    /// If it waits for something else; the error has the whole state.
    pub async fn assert_waiting_for<K: AsRef<str>>(&self, expected: impl IntoIterator<Item = K>) -> Result<()> {
        let details = self.at_rest().await?;
        let found = open(&details).map(|wait| wait.key.clone()).collect();
        self.compare("open waits", expected, found).await
    }

    /// Checks which calls were undone, by their journal keys, in the order in which they were undone.
    ///
    /// # Errors
    /// If others were undone, or in another order, or if a compensation failed; the error has the whole state.
    pub async fn assert_compensated<K: AsRef<str>>(&self, expected: impl IntoIterator<Item = K>) -> Result<()> {
        let details = self.at_rest().await?;
        if let Some(failed) = details.compensations.iter().find(|done| done.output.is_none()) {
            return self.refuse(format!("the undo of `{}` has not succeeded", failed.step)).await;
        }
        let found = details.compensations.into_iter().map(|done| done.step).collect();
        self.compare("compensations", expected, found).await
    }

    async fn compare<K: AsRef<str>>(&self, what: &str, expected: impl IntoIterator<Item = K>, found: Vec<String>) -> Result<()> {
        let expected: Vec<String> = expected.into_iter().map(|key| key.as_ref().to_owned()).collect();
        if found == expected {
            return Ok(());
        }
        self.refuse(format!("unexpected {what}\nexpected: {expected:?}\n   found: {found:?}")).await
    }

    /// An error with the whole state.
    async fn refuse<T>(&self, problem: String) -> Result<T> {
        Err(Error::permanent(format!("{problem}\n\n{}", self.describe().await)))
    }
}

fn open(details: &ExecutionDetails) -> impl Iterator<Item = &Wait> {
    details.waits.iter().filter(|wait| wait.outcome.is_none())
}

fn is_for(wait: &Wait, name: &str) -> bool {
    wait.name == name || wait.key == name || wait.kind.as_str() == name || wait.names.iter().any(|other| other == name)
}

/// The steps that this compensation undoes.
fn undone_by<W: Workflow>(compensation: &str) -> Vec<&'static str> {
    W::COMPENSATIONS.iter().filter(|undo| undo.spec.name == compensation).map(|undo| undo.step).collect()
}

/// Whether a journal key is that of a call of this step, in whatever branch: `join/0/step charge#2`.
fn is_call_of(key: &str, step: &str) -> bool {
    let call = key.rsplit('/').next().unwrap_or(key);
    let name = call.strip_prefix("step ").unwrap_or_default();
    name.strip_prefix(step).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
}

impl<W> Clone for Execution<W> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), handle: self.handle.clone() }
    }
}

impl<W> fmt::Debug for Execution<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Execution").field(&self.handle).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_by_its_step_in_every_branch() {
        for key in ["step charge", "step charge#2", "join/0/step charge", "map/3/step charge#4"] {
            assert!(is_call_of(key, "charge"), "{key}");
        }
        for key in ["step charge_again", "event charge", "charge", "step recharge"] {
            assert!(!is_call_of(key, "charge"), "{key}");
        }
    }
}
