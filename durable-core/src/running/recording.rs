//! Writes that the database refuses: a step's outcome becomes a failure, and the step is not run again.
//!
//! A write may carry several checkpoints and the end of the execution. When the database refuses it, each part is written
//! alone. A refused outcome of a step is recorded as the step's failure; the code has gone on from another outcome, so the
//! execution goes back to its queue and is replayed. If that is refused, too, the execution fails.

use std::sync::Arc;

use super::ledger::SharedLedger;
use super::reporting::{Fate, Unreported};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{Checkpoint, Outcome};
use crate::plan::journal_key;
use crate::store::saves::{NextState, Save, Written};

/// The outcome of a write.
#[derive(Debug)]
pub(crate) enum Saved {
    Written,
    /// The worker no longer holds the execution.
    Lost,
    /// Outcomes of steps were refused and recorded as failures. The execution must be replayed.
    Replaced,
    /// The database refuses a write that must not be repeated, or the end of the execution; with its message.
    Unrecorded(Box<Failure>),
}

/// A write, kept until it is acknowledged.
pub(super) struct Sent {
    pub(super) ledger: SharedLedger,
    pub(super) save: Save,
    pub(super) unreported: Unreported,
}

impl Sent {
    /// Queues the write at once, and awaits its answer.
    pub(super) fn answer(self) -> impl Future<Output = Saved> + use<> {
        let mut pieces = self.save.in_pieces();
        // The new state counts only if everything before it does.
        let last = if pieces.len() > 1 && self.save.next.is_some() { pieces.pop() } else { None };
        let mut pieces = pieces.into_iter();
        let first = pieces.next().map(|piece| self.ledger.save(piece));
        // Empty for all but large writes.
        let others: Vec<_> = pieces.map(|piece| self.ledger.save(piece)).collect();
        async move {
            let mut written = Ok(Written::Accepted);
            for answer in first.into_iter().chain(others) {
                let answer = answer.await;
                if let Ok(Written::Accepted) = written {
                    written = answer;
                }
            }
            if let (Ok(Written::Accepted), Some(last)) = (&written, last) {
                written = self.ledger.save(last).await;
            }
            match written {
                Ok(Written::Accepted) => {
                    self.unreported.report();
                    Saved::Written
                }
                Ok(Written::Refused) => Saved::Lost,
                Err(error) if is_of_engine(&error) => Saved::Lost,
                Err(error) => Box::pin(self.write_one_by_one(&error)).await,
            }
        }
    }

    async fn write_one_by_one(self, error: &Error) -> Saved {
        let id = self.save.id;
        tracing::warn!(execution_id = %id, %error, "the database refused a write; writing its parts one by one");
        let checkpoints = self.save.checkpoints.clone();
        let mut fates = Vec::with_capacity(checkpoints.len());
        let mut replaced: Vec<&str> = Vec::new();
        let mut unrecorded = None;
        for checkpoint in &*checkpoints {
            if replaced.iter().any(|key| journal_key::comes_after(&checkpoint.key, key)) {
                // It belongs to code that ran after the refused outcome; the replay will not come here.
                fates.push(Fate::Forgotten);
                continue;
            }
            let fate = match self.record(checkpoint).await {
                Ok(fate) => fate,
                Err(lost) => return lost,
            };
            match &fate {
                Fate::Recorded => {}
                Fate::Failed(_) => replaced.push(&checkpoint.key),
                Fate::Refused(failure) => drop(unrecorded.get_or_insert_with(|| failure.clone())),
                Fate::Forgotten => {}
            }
            fates.push(fate);
        }
        let was_replaced = !replaced.is_empty();
        let Self { ledger, save, unreported } = self;
        unreported.report_each(&fates);
        let next = match (save.next, unrecorded) {
            (None | Some(NextState::Completed(_) | NextState::Released), Some(failure)) => return Saved::Unrecorded(failure),
            (None, None) => return if was_replaced { Saved::Replaced } else { Saved::Written },
            (Some(_), None) if was_replaced => NextState::Released,
            (Some(next), _) => next,
        };
        match ledger.save(Save { checkpoints: Arc::default(), next: Some(next), again: true, ..save }).await {
            Ok(Written::Accepted) if was_replaced => Saved::Replaced,
            Ok(Written::Accepted) => Saved::Written,
            Ok(Written::Refused) => Saved::Lost,
            Err(error) if is_of_engine(&error) => Saved::Lost,
            Err(error) => Saved::Unrecorded(unrecorded_end(id, &error)),
        }
    }

    /// Records one checkpoint, or the failure of its step.
    async fn record(&self, checkpoint: &Checkpoint) -> Result<Fate, Saved> {
        let Err(error) = self.write_alone(checkpoint.clone()).await? else { return Ok(Fate::Recorded) };
        let is_of_graph = checkpoint.sets.iter().any(|set| set.node.is_some());
        if !checkpoint.sets.is_empty()
            && !is_of_graph
            && self.write_alone(Checkpoint { sets: Vec::new(), ..checkpoint.clone() }).await?.is_ok()
        {
            // Others do not see the value; the workflow does not depend on it. A graph would, so its outcome is refused instead.
            tracing::warn!(execution_id = %self.save.id, key = checkpoint.key, %error, "the database refused a value");
            return Ok(Fate::Recorded);
        }
        let failure = refused_outcome(&checkpoint.key, &error);
        tracing::error!(execution_id = %self.save.id, "{failure}");
        if journal_key::step_name(&checkpoint.key).is_none() {
            return Ok(Fate::Refused(failure));
        }
        // It keeps its `undo_order`, because the step's effects remain and a rollback must undo them.
        let failed = Checkpoint { outcome: Outcome::Error(failure.clone()), sets: Vec::new(), ..checkpoint.clone() };
        Ok(match self.write_alone(failed).await? {
            Ok(()) => Fate::Failed(failure),
            Err(_) => Fate::Refused(failure),
        })
    }

    async fn write_alone(&self, checkpoint: Checkpoint) -> Result<Result<()>, Saved> {
        let Save { worker, id, epoch, ref latest, .. } = self.save;
        let latest = latest.clone();
        let checkpoints = Arc::from([checkpoint]);
        // An earlier piece of the same write may have recorded it.
        let save = Save { worker, id, epoch, checkpoints, next: None, latest, leaves_waits: false, again: true };
        match self.ledger.save(save).await {
            Ok(Written::Accepted) => Ok(Ok(())),
            Ok(Written::Refused) => Err(Saved::Lost),
            Err(error) if is_of_engine(&error) => Err(Saved::Lost),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Whether the write did not reach the database: the engine has shut down.
pub(crate) fn is_of_engine(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable
}

fn refused_outcome(key: &str, error: &Error) -> Box<Failure> {
    let message = format!("the outcome of `{key}` is not recorded, what it did stands: {error}");
    Box::new(Failure::new(error.kind(), message))
}

fn unrecorded_end(id: ExecutionId, error: &Error) -> Box<Failure> {
    tracing::error!(execution_id = %id, %error, "the database refused to record how an execution ended");
    Box::new(Failure::new(error.kind(), format!("how the execution ended is not recorded: {error}")))
}

/// The failure of a step if one of its attempts cannot be recorded.
pub(crate) fn refused_attempt(key: &str, attempt: Option<&Failure>, error: &Error) -> Box<Failure> {
    let mut failure = Failure::new(error.kind(), format!("an attempt at `{key}` is not recorded: {error}"));
    failure.causes.extend(attempt.map(ToString::to_string));
    Box::new(failure)
}
