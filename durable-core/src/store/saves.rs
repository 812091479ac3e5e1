//! Writes checkpoints, completions, failures and releases.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::read::time;
use super::{Batch, MOST_BYTES, Store, statement, subject};
use crate::clock::Latest;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{Checkpoint, ExecutionState, NewNode, NewValue, Outcome};
use crate::payload::Payload;

/// What one execution writes: checkpoints, a new state, or both at once. Its clones share the checkpoints.
#[derive(Debug, Clone)]
pub(crate) struct Save {
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) checkpoints: Arc<[Checkpoint]>,
    pub(crate) next: Option<NextState>,
    /// Notified when this was recorded.
    pub(crate) latest: Arc<Latest>,
    /// Whether dropped waits may still be open in the database. Then the end of the execution ends them, too.
    pub(crate) leaves_waits: bool,
    /// Whether an earlier write may have recorded part of it.
    pub(crate) again: bool,
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

    /// Whether this end was decided by the workflow's code.
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
pub(crate) struct Saves;

impl Save {
    /// Splits the write into several, each small enough for one statement, in order. The last one has the new state.
    pub(crate) fn in_pieces(&self) -> Vec<Self> {
        let mut stretches = Vec::new();
        let (mut begin, mut bytes) = (0, 0_usize);
        for (nth, checkpoint) in self.checkpoints.iter().enumerate() {
            let size = size_of_checkpoint(checkpoint);
            if nth > begin && bytes.saturating_add(size) > MOST_BYTES {
                stretches.push(begin..nth);
                (begin, bytes) = (nth, 0);
            }
            bytes = bytes.saturating_add(size);
        }
        if stretches.is_empty() {
            return vec![self.clone()];
        }
        let pieces = stretches.into_iter().map(|stretch| Self {
            checkpoints: self.checkpoints[stretch].into(),
            next: None,
            ..self.clone()
        });
        let last = Self { checkpoints: self.checkpoints[begin..].into(), ..self.clone() };
        pieces.chain([last]).collect()
    }
}

fn size_of_checkpoint(step: &Checkpoint) -> usize {
    let outcome = match &step.outcome {
        Outcome::Output(output) => output.as_str().len(),
        Outcome::Error(failure) => failure.size(),
    };
    let tag = step.tag.as_ref().map_or(0, |tag| tag.size());
    step.key.len() + outcome + tag + step.sets.iter().map(NewValue::size).sum::<usize>()
}

impl Batch for Saves {
    type Item = Save;
    type Outcome = Written;
    const WHAT: &'static str = "save checkpoints";
    const LIMIT: usize = 1000;

    fn subjects(item: &Save) -> impl Iterator<Item = u64> {
        std::iter::once(subject(item.id))
    }

    fn size(item: &Save) -> usize {
        let next = item.next.as_ref().and_then(|next| next.output().or(next.error())).map_or(0, str::len);
        next + item.checkpoints.iter().map(size_of_checkpoint).sum::<usize>()
    }

    /// Each worker that this process has been by itself: what one has lost, the next may hold.
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
        let again = again || items.iter().any(|item| item.again);
        match save(store, connection, items, again).await {
            // A rollback from outside has journalled a child meanwhile.
            Err(error) if !again && is_taken(&error) => save(store, connection, items, true).await,
            saved => saved,
        }
    }
}

/// A value or a tag that a checkpoint comes with.
struct Setting<'save> {
    id: ExecutionId,
    key: &'save str,
    name: &'save str,
    value: &'save str,
    metadata: Option<&'save str>,
    is_tag: bool,
    node: Option<&'save NewNode>,
}

impl<'save> Setting<'save> {
    fn all(id: ExecutionId, step: &'save Checkpoint) -> impl Iterator<Item = Self> {
        let key = step.key.as_str();
        let values = step.sets.iter().map(move |set| {
            let metadata = set.metadata.as_ref().map(Payload::as_str);
            Self { id, key, name: &set.name, value: set.value.as_str(), metadata, is_tag: false, node: set.node.as_ref() }
        });
        let tag = step.tag.as_deref();
        let tag = tag.map(|tag| Self { id, key, name: &tag.name, value: &tag.value, metadata: None, is_tag: true, node: None });
        values.chain(tag)
    }
}

/// Whether the journal has a checkpoint under the key of one that was to be written.
fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.constraint() == Some("checkpoints_pkey"))
}

/// Writes the saves in one statement; returns for each whether it counted.
async fn save(store: &Store, connection: &mut PgConnection, items: &[Save], again: bool) -> Result<Vec<Written>, sqlx::Error> {
    if let ([lone], false) = (items, again)
        && !lone.leaves_waits
        && let (Some(next), [] | [_]) = (&lone.next, &*lone.checkpoints)
        && lone.checkpoints.iter().all(|step| step.sets.is_empty() && step.tag.is_none())
    {
        return finish(store, connection, lone, next).await.map(|written| vec![written]);
    }
    let Some(worker) = items.first().map(|item| item.worker) else { return Ok(Vec::new()) };
    let steps: Vec<(&Save, &Checkpoint)> =
        items.iter().flat_map(|item| item.checkpoints.iter().map(move |step| (item, step))).collect();
    let values: Vec<Setting<'_>> = steps.iter().flat_map(|(item, step)| Setting::all(item.id, step)).collect();
    let next = |item: &Save| item.next.as_ref().map(|next| next.state().as_str());
    let row = store
        .query(statement!("executions/save"))
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
        .bind(values.iter().map(|setting| setting.id.as_uuid()).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| setting.key).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| setting.name).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| setting.value).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| setting.metadata).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| setting.is_tag).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| Some(setting.node?.revision.cast_signed())).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| Some(setting.node?.state.as_str())).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| Some(setting.node?.record.as_str())).collect::<Vec<_>>())
        .bind(values.iter().map(|setting| setting.node?.set_at).collect::<Vec<_>>())
        .bind(histories(&values))
        .fetch_one(connection)
        .await?;
    let at = time(&row, "at")?;
    let accepted: HashSet<Uuid> = row.try_get::<Vec<Uuid>, _>("accepted")?.into_iter().collect();
    let written = |item: &Save| {
        if !accepted.contains(&item.id.as_uuid()) {
            return Written::Refused;
        }
        item.latest.note(at);
        Written::Accepted
    };
    Ok(items.iter().map(written).collect())
}

/// How many of its newest values each node keeps; `None` if none of them keeps any, so that nothing about histories is run.
fn histories(values: &[Setting<'_>]) -> Option<Vec<Option<i32>>> {
    let histories = values.iter().map(|setting| setting.node?.history.map(u32::cast_signed));
    let histories: Vec<Option<i32>> = histories.collect();
    histories.iter().any(Option::is_some).then_some(histories)
}

/// The end of one execution, with its last checkpoint: what a lone caller waits for.
async fn finish(store: &Store, connection: &mut PgConnection, save: &Save, next: &NextState) -> Result<Written, sqlx::Error> {
    let step = save.checkpoints.first();
    let moved = store
        .query(statement!("executions/finish"))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A save of so many checkpoints, each with an output of so many bytes, that ends its execution.
    fn save(checkpoints: usize, bytes: usize) -> Save {
        let checkpoint = |nth| Checkpoint::of(format!("step {nth}"), Outcome::Output(Payload("x".repeat(bytes).into())));
        Save {
            worker: WorkerId::new(),
            id: ExecutionId::new(),
            epoch: Epoch::FIRST,
            checkpoints: (0..checkpoints).map(checkpoint).collect(),
            next: Some(NextState::Released),
            latest: Arc::default(),
            leaves_waits: false,
            again: false,
        }
    }

    #[test]
    fn a_large_save_goes_out_in_pieces_and_the_last_has_the_new_state() {
        let pieces = save(10, MOST_BYTES / 3).in_pieces();
        assert_eq!(pieces.len(), 5, "two fit into each");
        assert!(pieces.iter().all(|piece| Saves::size(piece) <= MOST_BYTES));
        assert_eq!(pieces.iter().map(|piece| piece.next.is_some()).collect::<Vec<_>>(), [false, false, false, false, true]);
        let keys: Vec<&str> = pieces.iter().flat_map(|piece| piece.checkpoints.iter()).map(|step| step.key.as_str()).collect();
        assert_eq!(keys, (0..10).map(|nth| format!("step {nth}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_small_save_stays_whole() {
        for checkpoints in [0, 1, 1000] {
            let pieces = save(checkpoints, 10).in_pieces();
            assert_eq!(pieces.len(), 1);
            assert!(pieces[0].checkpoints.len() == checkpoints && pieces[0].next.is_some());
        }
    }

    #[test]
    fn a_checkpoint_that_is_too_large_for_company_goes_alone() {
        let pieces = save(2, MOST_BYTES + 1).in_pieces();
        assert_eq!(pieces.iter().map(|piece| piece.checkpoints.len()).collect::<Vec<_>>(), [1, 1]);
    }
}
