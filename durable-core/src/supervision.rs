//! Keeps the engine's tasks alive: a task that panics is reported and restarted, after a growing pause.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::Failure;
use crate::panics;
use crate::telemetry;

/// Pause before a task is started again for the first time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause. Once the cause of a panic is repaired, the task is back within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a trouble is reported after it last occurred. A repaired trouble disappears after this time.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);

/// Most troubles of a kind that are reported by name.
const NAMED: usize = 50;

/// Troubles of this process: which tasks panicked, and which rows could not be read. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health(Arc<Mutex<Troubles>>);

#[derive(Debug, Default)]
struct Troubles {
    panics: BTreeMap<String, Seen>,
    rows: BTreeMap<String, Seen>,
}

/// A trouble, and when it last occurred.
#[derive(Debug)]
struct Seen {
    times: u32,
    what: String,
    last: Instant,
}

/// The troubles of a process as its row in `workers` holds them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Tasks that panicked and were started again.
    #[serde(default)]
    pub(crate) panics: Vec<Trouble>,
    /// Rows that could not be read.
    #[serde(default)]
    pub(crate) rows: Vec<Trouble>,
}

/// One line of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    /// The task or the row.
    pub(crate) of: String,
    pub(crate) times: u32,
    /// The problem at its last occurrence.
    pub(crate) what: String,
}

impl Health {
    /// A task panicked.
    pub(crate) fn panicked(&self, task: &str, failure: &Failure) {
        tracing::error!(task, error = %failure, "a task of the engine panicked; it is started again");
        telemetry::task_restarted(task);
        note(&mut self.troubles().panics, task.to_owned(), failure.to_string());
    }

    /// A row could not be read. It is logged once, however often it is met.
    pub(crate) fn unreadable(&self, table: &'static str, row: &str, why: &str) {
        telemetry::unreadable_row(table);
        if note(&mut self.troubles().rows, format!("{table} {row}"), why.to_owned()) == 1 {
            tracing::error!(table, row, "cannot read a row, which is set aside: {why}");
        }
    }

    /// The troubles, as JSON; `None` if there are none.
    pub(crate) fn report(&self) -> Option<String> {
        let mut troubles = self.troubles();
        let report = Report { panics: named(&mut troubles.panics), rows: named(&mut troubles.rows) };
        if report == Report::default() {
            return None;
        }
        // Made of strings and numbers: it always encodes.
        serde_json::to_string(&report).ok()
    }

    fn troubles(&self) -> MutexGuard<'_, Troubles> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes a trouble, and returns how often it occurred.
fn note(troubles: &mut BTreeMap<String, Seen>, of: String, what: String) -> u32 {
    if troubles.len() >= NAMED && !troubles.contains_key(&of) {
        let oldest = troubles.iter().min_by_key(|(_, seen)| seen.last).map(|(of, _)| of.clone());
        oldest.and_then(|oldest| troubles.remove(&oldest));
    }
    let now = Instant::now();
    let seen = troubles.entry(of).or_insert_with(|| Seen { times: 0, what: String::new(), last: now });
    seen.times = seen.times.saturating_add(1);
    (seen.what, seen.last) = (what, now);
    seen.times
}

fn named(troubles: &mut BTreeMap<String, Seen>) -> Vec<Trouble> {
    troubles.retain(|_, seen| seen.last.elapsed() < REMEMBERED);
    troubles.iter().map(|(of, seen)| Trouble { of: of.clone(), times: seen.times, what: seen.what.clone() }).collect()
}

/// Runs a task to its end. After each panic `start` begins it anew.
pub(crate) async fn supervise<F>(health: Health, task: impl Into<String>, mut start: impl FnMut() -> F)
where
    F: Future<Output = ()>,
{
    let task = task.into();
    telemetry::task_started(&task);
    let mut pause = FIRST_PAUSE;
    loop {
        let started = Instant::now();
        let Err(failure) = panics::catch_in(start()).await else { return };
        health.panicked(&task, &failure);
        if started.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Like [`supervise`], for a task that owns something, such as the end of a channel, which must survive a panic.
pub(crate) async fn supervise_with<T, F>(
    health: Health,
    task: impl Into<String>,
    own: T,
    start: impl Fn(OwnedMutexGuard<T>) -> F + Clone,
) where
    F: Future<Output = ()>,
{
    let own = Arc::new(tokio::sync::Mutex::new(own));
    supervise(health, task, || {
        let (own, start) = (own.clone(), start.clone());
        async move { start(own.lock_owned().await).await }
    })
    .await;
}

/// Supervised tasks. They end when the set is dropped.
#[derive(Debug)]
pub(crate) struct TaskSet {
    health: Health,
    tasks: JoinSet<()>,
}

impl TaskSet {
    pub(crate) fn new(health: Health) -> Self {
        Self { health, tasks: JoinSet::new() }
    }

    /// Starts a task; see [`supervise`].
    pub(crate) fn start<F>(&mut self, task: impl Into<String>, start: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(supervise(self.health.clone(), task.into(), start));
    }

    /// Starts a task that owns something; see [`supervise_with`].
    pub(crate) fn start_with<T, F>(
        &mut self,
        task: impl Into<String>,
        own: T,
        start: impl Fn(OwnedMutexGuard<T>) -> F + Clone + Send + Sync + 'static,
    ) where
        T: Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.tasks.spawn(supervise_with(self.health.clone(), task.into(), own, start));
    }

    /// Stops every task.
    pub(crate) async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Waits until every task has ended by itself.
    pub(crate) async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_until_it_ends_and_is_reported() {
        let (health, starts) = (Health::default(), AtomicU32::new(0));
        supervise(health.clone(), "wake", || async {
            tokio::task::yield_now().await;
            if starts.fetch_add(1, Ordering::Relaxed) < 2 {
                panic!("an odd row");
            }
        })
        .await;
        assert_eq!(starts.load(Ordering::Relaxed), 3);
        let report: Report = serde_json::from_str(&health.report().unwrap()).unwrap();
        let [trouble] = report.panics.as_slice() else { panic!("{report:?}") };
        assert_eq!((trouble.of.as_str(), trouble.times), ("wake", 2));
        assert!(trouble.what.contains("panicked: an odd row"), "{trouble:?}");
    }

    #[test]
    fn a_row_that_is_met_again_is_reported_once_with_how_often() {
        let health = Health::default();
        assert_eq!(health.report(), None);
        health.unreadable("executions", "1", "its state is not known");
        health.unreadable("executions", "1", "its state is not known");
        let report: Report = serde_json::from_str(&health.report().unwrap()).unwrap();
        assert_eq!((report.rows.len(), report.rows[0].times), (1, 2));
    }

    #[test]
    fn a_report_names_a_limited_number_of_rows() {
        let health = Health::default();
        (0..NAMED * 3).for_each(|row| health.unreadable("executions", &row.to_string(), "odd"));
        let report: Report = serde_json::from_str(&health.report().unwrap()).unwrap();
        assert_eq!(report.rows.len(), NAMED);
    }
}
