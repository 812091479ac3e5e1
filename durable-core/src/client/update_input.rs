//! Changes an open question: its deadline, and who is to answer it.

use std::future::IntoFuture;

use chrono::{DateTime, Utc};

use super::Durable;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{UpdatedInput, check_assignee};
use crate::store::messages::Effect;
use crate::store::waits::{self, InputChange};

/// A change of an open question; await it for what was before. See [`Durable::update_input`].
#[derive(Debug)]
#[must_use = "nothing changes until it is awaited"]
pub struct UpdateInput<'durable> {
    durable: &'durable Durable,
    id: ExecutionId,
    input: String,
    change: InputChange,
}

impl UpdateInput<'_> {
    /// The workflow goes on without an answer at this time by the database's clock. It may be earlier or later than before, and
    /// not in the past.
    pub fn deadline(mut self, time: DateTime<Utc>) -> Self {
        self.change.deadline = Some(Some(time));
        self
    }

    /// The workflow waits for an answer without end.
    pub fn no_deadline(mut self) -> Self {
        self.change.deadline = Some(None);
        self
    }

    /// Assigns the question to this person or group, 1 to 500 bytes without control characters.
    pub fn assignee(mut self, assignee: impl Into<String>) -> Self {
        self.change.assignee = Some(Some(assignee.into()));
        self
    }

    /// The question has no assignee any more.
    pub fn no_assignee(mut self) -> Self {
        self.change.assignee = Some(None);
        self
    }
}

impl<'durable> IntoFuture for UpdateInput<'durable> {
    type Output = Result<UpdatedInput>;
    type IntoFuture = BoxFuture<'durable, Result<UpdatedInput>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, id, input, change } = self;
            if change.deadline.is_none() && change.assignee.is_none() {
                let problem = format!("an update of input `{input}` changes nothing; give `.deadline(…)` or `.assignee(…)`, too");
                return Err(Error::of_kind(ErrorKind::Invalid, problem));
            }
            if let Some(Some(assignee)) = &change.assignee {
                check_assignee(&input, assignee)?;
            }
            let store = durable.store();
            let updated = durable.run("update an input", |pool| waits::update_input(store, pool, id, &input, &change)).await;
            let updated = updated.map_err(as_invalid)?;
            store.watched.note([id]);
            // Timers in memory still have the former deadline.
            durable.engine.signals.affected(&Effect::Resolved(id));
            if let Some(due_at) = updated.due_at {
                durable.engine.signals.set_timer(due_at);
            }
            Ok(updated)
        })
    }
}

/// The database has one code for all that it refuses; here it is always what the caller gave for the change.
fn as_invalid(error: Error) -> Error {
    if error.kind() == ErrorKind::Payload {
        return Error::of_kind(ErrorKind::Invalid, error.to_string()).into_permanent();
    }
    error
}

impl Durable {
    /// Changes an open question of an execution: its deadline, the person or group who is to answer, or both. `input` is its name
    /// or, if several questions of that name are open, its journal key, as [`pending_inputs`](Self::pending_inputs) shows it.
    /// Await the returned builder; it gives what was before, and what is now.
    ///
    /// The change stays through crashes and replays: the code of the workflow decides only about questions that it asks later. If
    /// the code gives the question no timeout, it fails with the kind `TimedOut` at the deadline.
    ///
    /// If the connection is lost before the answer comes, the change is made again. Then `was_due_at` and `was_assignee` may be the
    /// new values already. If the new deadline passes meanwhile, the call may fail although the change was made; the error says
    /// that the deadline has passed, or that the question is decided.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// for question in durable.pending_inputs().assignee("ada").await?.iter() {
    ///     // She is away: her colleague gets three days more.
    ///     let Some(due_at) = question.due_at else { continue };
    ///     let update = durable.update_input(question.execution_id, &question.key);
    ///     let updated = update.assignee("grace").deadline(due_at + days(3)).await?;
    ///     println!("{} was for {:?} until {:?}", updated.key, updated.was_assignee, updated.was_due_at);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution, and if it has no such open question; the error lists the open questions. `Conflict` if
    /// the question is answered or its deadline has passed, and if several questions of the name are open. `Invalid` for a
    /// deadline in the past, for an assignee that is empty, too long or has control characters, and if nothing changes.
    /// `Finished` if the execution has ended.
    pub fn update_input(&self, id: ExecutionId, input: impl Into<String>) -> UpdateInput<'_> {
        UpdateInput { durable: self, id, input: input.into(), change: InputChange::default() }
    }
}
