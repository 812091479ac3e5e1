//! Writes new executions.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor, Row};
use uuid::Uuid;

use super::tags::text as tags_text;
use super::{Batch, Store, statement, subject};
use crate::ids::{ExecutionId, WorkerId};
use crate::payload::Payload;
use crate::plan::start_options::CheckedStart;
use crate::telemetry::TraceContext;

/// An execution to be created.
#[derive(Debug, Clone)]
pub(crate) struct NewExecution {
    pub(crate) id: ExecutionId,
    pub(crate) workflow: String,
    pub(crate) version: i32,
    pub(crate) input: Payload,
    pub(crate) timeout: Option<Duration>,
    pub(crate) options: CheckedStart,
    /// Where its starter stands.
    pub(crate) trace_context: Option<TraceContext>,
    /// The worker of this process that has a slot free for it.
    pub(crate) hand_off: Option<WorkerId>,
}

impl NewExecution {
    /// The keys under which other starts of its workflow may find it, with the kind of each.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, &'static str, &str)> {
        let CheckedStart { key, deduplication_key, debounce_key, .. } = &self.options;
        let keys = [("key", key), ("deduplication key", deduplication_key), ("debounce key", debounce_key)];
        keys.into_iter().filter_map(|(kind, key)| Some((self.workflow.as_str(), kind, key.as_deref()?)))
    }

    /// How many bytes it sends, roughly.
    pub(crate) fn size(&self) -> usize {
        let tags = self.options.tags.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        self.workflow.len() + self.options.queue.len() + self.input.as_str().len() + tags
    }
}

/// What became of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Started {
    pub(crate) id: ExecutionId,
    pub(crate) how: StartOutcome,
}

/// How a start ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartOutcome {
    /// Created, and held by the worker it was handed to.
    Claimed,
    /// Created, in its queue.
    Queued,
    /// The key was taken by a start with the same input, the deduplication key by an execution that has not ended, or the
    /// debounce key by one that has not begun, and was pushed back.
    Existing,
}

/// The outcome of the starts of one caller.
#[derive(Debug)]
pub(crate) enum Creation {
    Done(Vec<Started>),
    /// Another transaction holds one of their keys or a row: nothing was written.
    HeldUp(Vec<NewExecution>),
}

/// The lane of starts: concurrent callers share one statement.
#[derive(Debug)]
pub(crate) struct Starts;

impl Batch for Starts {
    /// Several executions of one caller stay together.
    type Item = Vec<NewExecution>;
    type Outcome = Creation;
    const WHAT: &'static str = "start executions";
    const LIMIT: usize = 500;

    fn subjects(item: &Vec<NewExecution>) -> impl Iterator<Item = u64> {
        item.iter().flat_map(NewExecution::keys).map(subject)
    }

    fn size(item: &Vec<NewExecution>) -> usize {
        item.iter().map(NewExecution::size).sum()
    }

    /// The caller may keep a slot for it, and does not wait for ever.
    fn held_up(item: Vec<NewExecution>) -> Result<Creation, Vec<NewExecution>> {
        Ok(Creation::HeldUp(item))
    }

    async fn flush(
        &self,
        store: &Store,
        connection: &mut PgConnection,
        items: &[Vec<NewExecution>],
        _again: bool,
    ) -> Result<Vec<Creation>, sqlx::Error> {
        let all: Vec<&NewExecution> = items.iter().flatten().collect();
        let mut started = create(store, connection, &all).await?.into_iter();
        Ok(items.iter().map(|item| Creation::Done(started.by_ref().take(item.len()).collect())).collect())
    }
}

/// Creates executions in one statement; all that are handed off go to the same worker.
pub(crate) async fn create(
    store: &Store,
    executor: impl PgExecutor<'_>,
    all: &[&NewExecution],
) -> Result<Vec<Started>, sqlx::Error> {
    let worker = all.iter().find_map(|new| new.hand_off);
    let rows = store
        .query(statement!("executions/start"))
        .bind(all.iter().map(|new| new.id.as_uuid()).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.workflow.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.version).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.options.queue.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.options.priority).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.options.key.as_deref()).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.input.as_str()).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.options.start_at).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.options.delay.map(|delay| delay.as_secs_f64())).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.timeout.map(|timeout| timeout.as_secs_f64())).collect::<Vec<_>>())
        .bind(all.iter().map(|new| new.hand_off.is_some() && new.hand_off == worker).collect::<Vec<_>>())
        .bind(worker.map(|worker| worker.0))
        .bind(all.iter().map(|new| new.options.concurrency_key.as_deref()).collect::<Vec<_>>())
        .bind(rare(all, |new| new.options.deduplication_key.as_deref()))
        .bind(rare(all, |new| new.options.debounce_key.as_deref()))
        .bind(rare(all, |new| new.options.debounce_at_most.map(|limit| limit.as_secs_f64())))
        .bind(rare(all, |new| new.options.time_to_live.map(|time| time.as_secs_f64())))
        .bind(rare(all, |new| new.trace_context.as_ref().map(TraceContext::to_string)))
        .bind(rare(all, |new| tags_text(&new.options.tags)))
        .fetch_all(executor)
        .await?;
    rows.iter()
        .map(|row| {
            let how = match row.try_get::<&str, _>(2)? {
                "claimed" => StartOutcome::Claimed,
                "queued" => StartOutcome::Queued,
                _ => StartOutcome::Existing,
            };
            Ok(Started { id: row.try_get::<Uuid, _>(1)?.into(), how })
        })
        .collect()
}

/// What few starts have, each at its place; nothing is sent where none has it.
fn rare<'new, T>(all: &[&'new NewExecution], read: impl Fn(&'new NewExecution) -> Option<T>) -> Option<Vec<Option<T>>> {
    let values: Vec<Option<T>> = all.iter().map(|new| read(new)).collect();
    values.iter().any(Option::is_some).then_some(values)
}
