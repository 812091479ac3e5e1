//! Writes checkpoints, completions, failures and releases.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{Batch, Statement, Store};
use crate::clock::Clock;
use crate::ids::{Epoch, ExecutionId, SHARD, WorkerId};
use crate::model::{Checkpoint, ExecutionState, Outcome};
use crate::payload::Payload;

/// What one execution writes: checkpoints, a new state, or both at once. Its clones share the checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct Save {
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) checkpoints: Arc<[Checkpoint]>,
    pub(crate) next: Option<NextState>,
    /// Whether waits may stand open that nobody waits for any more; the end of the execution ends them, too.
    pub(crate) leaves_waits: bool,
}

/// The state that an execution goes to.
#[derive(Debug, Clone)]
pub(crate) enum NextState {
    Completed(Payload),
    /// With the failure, as JSON.
    Failed(Payload),
    /// Stopped where a person or a deployment has to help; with the reason, as JSON.
    Stopped(Payload),
    /// Back into its queue.
    Released,
    /// The rollback is over: how it ended, and why there was one, as JSON.
    RolledBack(ExecutionState, Payload),
}

impl NextState {
    fn state(&self) -> ExecutionState {
        match self {
            Self::Completed(_) => ExecutionState::Completed,
            Self::Failed(_) => ExecutionState::Failed,
            Self::Stopped(_) => ExecutionState::Waiting,
            Self::Released => ExecutionState::Pending,
            Self::RolledBack(state, _) => *state,
        }
    }

    /// Whether it follows from what the workflow's code has done, to its end.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::Completed(_) | Self::Failed(_) | Self::RolledBack(..))
    }

    fn output(&self) -> Option<&str> {
        if let Self::Completed(output) = self { Some(output.as_str()) } else { None }
    }

    fn error(&self) -> Option<&str> {
        if let Self::Failed(error) | Self::Stopped(error) | Self::RolledBack(_, error) = self {
            Some(error.as_str())
        } else {
            None
        }
    }
}

/// Whether a write counted, or came from a worker that no longer holds the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    Accepted,
    Refused,
}

/// The lane of saves.
#[derive(Debug)]
pub(crate) struct Saves {
    /// Each write is a reading of the database's clock: what comes after it is not earlier.
    pub(crate) clock: Arc<Clock>,
}

impl Batch for Saves {
    type Item = Save;
    type Outcome = Written;
    const WHAT: &'static str = "save checkpoints";
    const LIMIT: usize = 1000;

    /// Each life of this worker by itself: what one of them has lost, the next may hold.
    fn go_together(first: &Save, next: &Save) -> bool {
        first.worker == next.worker
    }

    async fn flush(
        &self,
        store: &Store,
        connection: &mut PgConnection,
        items: &[Save],
        again: bool,
    ) -> Result<Vec<Written>, sqlx::Error> {
        if let ([lone], false) = (items, again)
            && !lone.leaves_waits
            && let (Some(next), [] | [_]) = (&lone.next, &*lone.checkpoints)
        {
            return finish(store, connection, lone, next).await.map(|written| vec![written]);
        }
        let Some(worker) = items.first().map(|item| item.worker) else { return Ok(Vec::new()) };
        let steps: Vec<(&Save, &Checkpoint)> =
            items.iter().flat_map(|item| item.checkpoints.iter().map(move |step| (item, step))).collect();
        let next = |item: &Save| item.next.as_ref().map(|next| next.state().as_str());
        let rows = store
            .query(Statement::SaveExecutions)
            .bind(SHARD)
            .bind(worker.0)
            .bind(items.iter().map(|item| item.id.as_uuid()).collect::<Vec<_>>())
            .bind(items.iter().map(|item| item.epoch.0).collect::<Vec<_>>())
            .bind(items.iter().map(next).collect::<Vec<_>>())
            .bind(items.iter().map(|item| item.next.as_ref()?.output()).collect::<Vec<_>>())
            .bind(items.iter().map(|item| item.next.as_ref()?.error()).collect::<Vec<_>>())
            .bind(again)
            .bind(steps.iter().map(|(item, _)| item.id.as_uuid()).collect::<Vec<_>>())
            .bind(steps.iter().map(|(_, step)| step.key.as_str()).collect::<Vec<_>>())
            .bind(steps.iter().map(|(_, step)| step.digest.map(u64::cast_signed)).collect::<Vec<_>>())
            .bind(steps.iter().map(|(_, step)| attempt(step)).collect::<Vec<_>>())
            .bind(steps.iter().map(|(_, step)| step.took.as_secs_f64()).collect::<Vec<_>>())
            .bind(steps.iter().map(|(_, step)| output(step)).collect::<Vec<_>>())
            .bind(steps.iter().map(|(_, step)| error(step)).collect::<Vec<_>>())
            .bind(steps.iter().map(|(_, step)| step.undo_order).collect::<Vec<_>>())
            .bind(items.iter().filter(|item| item.leaves_waits).map(|item| item.id.as_uuid()).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
        if let Some(row) = rows.first() {
            self.clock.not_before(row.try_get(1)?);
        }
        let accepted = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<Uuid>, _>>()?;
        let written = |item: &Save| match accepted.contains(&item.id.as_uuid()) {
            true => Written::Accepted,
            false => Written::Refused,
        };
        Ok(items.iter().map(written).collect())
    }
}

/// The end of one execution, with its last checkpoint: what a lone caller waits for.
async fn finish(store: &Store, connection: &mut PgConnection, save: &Save, next: &NextState) -> Result<Written, sqlx::Error> {
    let step = save.checkpoints.first();
    let moved = store
        .query(Statement::FinishExecution)
        .bind(SHARD)
        .bind(save.worker.0)
        .bind(save.id.as_uuid())
        .bind(save.epoch.0)
        .bind(next.state().as_str())
        .bind(next.output())
        .bind(next.error())
        .bind(step.map(|step| step.key.as_str()))
        .bind(step.and_then(|step| step.digest).map(u64::cast_signed))
        .bind(step.map(attempt))
        .bind(step.map(|step| step.took.as_secs_f64()))
        .bind(step.and_then(output))
        .bind(step.and_then(error))
        .bind(step.and_then(|step| step.undo_order))
        .fetch_optional(connection)
        .await?;
    Ok(if moved.is_some() { Written::Accepted } else { Written::Refused })
}

fn attempt(step: &Checkpoint) -> i16 {
    i16::try_from(step.attempt).unwrap_or(i16::MAX)
}

fn output(step: &Checkpoint) -> Option<&str> {
    if let Outcome::Output(output) = &step.outcome { Some(output.as_str()) } else { None }
}

fn error(step: &Checkpoint) -> Option<String> {
    if let Outcome::Error(failure) = &step.outcome { Some(super::journal::failure_text(failure)) } else { None }
}
