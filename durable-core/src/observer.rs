//! Observers: code of the application that is called for what executions do, and that may refuse a step.
//!
//! ```no_run
//! # use durable::prelude::*;
//! use durable::observer::{Consent, ExecutionFailed, LogObserver, Observer, StepBegins};
//!
//! struct Audit {
//!     read_only: bool,
//! }
//!
//! impl Observer for Audit {
//!     fn before_step(&self, step: &StepBegins) -> Consent {
//!         if self.read_only { Consent::refuse("the shop is read-only") } else { Consent::Proceed }
//!     }
//!
//!     fn on_failure(&self, execution: &ExecutionFailed) {
//!         eprintln!("{} {} ended as {}", execution.execution.workflow, execution.execution.id, execution.state);
//!     }
//! }
//!
//! # async fn example(url: &str) -> Result<()> {
//! let durable = Durable::builder().database_url(url).observe(Audit { read_only: false }).observe(LogObserver).start().await?;
//! # Ok(()) }
//! ```
//!
//! Each observer has a thread of its own. It calls the observer's methods one at a time, in the order in which things happened in
//! this process. So an observer cannot disturb an execution:
//!
//! - A slow observer delays only itself. Calls to come wait in a queue; when the queue is full, further calls are dropped.
//! - A step waits for [`before_step`](Observer::before_step) at most one second; then it begins without consent, and so do the
//!   following steps until the observer has caught up. An observer that refuses steps should therefore be quick, and leave slow
//!   work to another observer. Several observers are asked in the order in which they were registered.
//! - An observer that panics is called again the next time. A panic in `before_step` refuses nothing.
//!
//! All three are logged as warnings, with numbers, at most every ten seconds.
//!
//! Observers are for watching, not for bookkeeping. When a process dies, calls that are still to come are lost; what happens
//! again after a crash, such as an attempt that was interrupted, is reported again. What must happen belongs in a step.

mod complaints;
mod log;
mod news;
mod watcher;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::clock;
use crate::error::{ErrorKind, Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{Due, ExecutionState, NewWait};

use news::News;
use watcher::{Limits, Watcher};

pub use log::LogObserver;
pub use news::{
    Direction, ExecutionCompleted, ExecutionFailed, ExecutionStarted, InputAnswered, ObservedExecution, RollbackBegan,
    ScheduleFired, StepBegins, StepEnded, StepRecorded, WaitBegan,
};

/// Is called for what executions do; see the [module](self). Every method does nothing by default.
///
/// The methods are called on a thread where blocking is fine and `tokio::spawn` works.
pub trait Observer: Send + Sync + 'static {
    /// An execution begins: a worker of this process has claimed it for the first time.
    fn on_start(&self, execution: &ExecutionStarted) {
        let _ = execution;
    }

    /// An attempt at a step is about to begin; it begins if every observer consents. If an observer refuses, the step's body is
    /// not called and the execution is rolled back. A compensation ([`Direction::Rollback`]) cannot be refused: the answer is
    /// ignored. Not called for steps that a replay finds in the journal.
    fn before_step(&self, step: &StepBegins) -> Consent {
        let _ = step;
        Consent::Proceed
    }

    /// An attempt has ended, or was interrupted because its result is no longer needed. Its outcome is not committed yet: if the
    /// process dies now, the attempt is repeated.
    fn after_step(&self, step: &StepEnded) {
        let _ = step;
    }

    /// The outcome of a step is committed: the step never runs again. Called once for each step, unless the process dies first.
    fn on_checkpoint(&self, checkpoint: &StepRecorded) {
        let _ = checkpoint;
    }

    /// An execution begins to wait for a time, an event, an answer or a child; called once for each wait.
    fn on_wait(&self, wait: &WaitBegan) {
        let _ = wait;
    }

    /// An execution begins to roll back: its compensations will run.
    fn on_rollback(&self, rollback: &RollbackBegan) {
        let _ = rollback;
    }

    /// An execution has completed, and this is committed.
    fn on_complete(&self, execution: &ExecutionCompleted) {
        let _ = execution;
    }

    /// An execution has ended without completing, and this is committed. Called in the process that ended it: the worker's
    /// process, or the process of the client that cancelled it.
    fn on_failure(&self, execution: &ExecutionFailed) {
        let _ = execution;
    }

    /// A schedule was due, and the result is committed. Called only in the process whose worker fired it.
    fn on_firing(&self, firing: &ScheduleFired) {
        let _ = firing;
    }

    /// A person's answer was given, and this is committed. Called in the process of the client that gave it with
    /// [`Durable::provide_input`](crate::client::Durable::provide_input); not called for an answer that was given in SQL.
    fn on_answer(&self, answer: &InputAnswered) {
        let _ = answer;
    }
}

/// Whether a step may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Consent {
    /// The step may begin.
    Proceed,
    /// The step may not begin, for this reason; the execution is rolled back.
    Refuse(String),
}

impl Consent {
    /// Refuses the step for this reason.
    pub fn refuse(reason: impl Into<String>) -> Self {
        Self::Refuse(reason.into())
    }
}

/// Observers that were registered, and are not running yet.
#[derive(Default)]
pub(crate) struct RegisteredObservers {
    each: Vec<(&'static str, Arc<dyn Observer>)>,
}

/// The observers of a process. Without observers nothing is allocated or sent.
#[derive(Debug, Clone)]
pub(crate) struct Observers {
    watchers: Arc<[Watcher]>,
}

/// One execution, and the observers that are called for it.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// `None` without observers.
    watched: Option<Arc<Watched>>,
}

#[derive(Debug)]
struct Watched {
    observers: Observers,
    execution: ObservedExecution,
}

impl RegisteredObservers {
    pub(crate) fn add<O: Observer>(&mut self, observer: O) {
        self.each.push((std::any::type_name::<O>(), Arc::new(observer)));
    }

    /// Starts a thread for each observer. Must be called on a tokio runtime.
    pub(crate) fn start(self) -> Result<Observers> {
        let watchers: Result<Arc<[Watcher]>, std::io::Error> =
            self.each.into_iter().map(|(name, observer)| Watcher::start(name, observer, Limits::USUAL)).collect();
        Ok(Observers { watchers: watchers? })
    }
}

impl fmt::Debug for RegisteredObservers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.each.iter().map(|(name, _)| name)).finish()
    }
}

impl Observers {
    /// Whether there are no observers.
    pub(crate) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// The observers of this execution.
    pub(crate) fn of(&self, id: ExecutionId, workflow: &str, version: u32) -> Observed {
        if self.is_empty() {
            return Observed { watched: None };
        }
        let execution = ObservedExecution { id, workflow: workflow.to_owned(), version };
        Observed { watched: Some(Arc::new(Watched { observers: self.clone(), execution })) }
    }

    pub(crate) fn fired(&self, firing: &ScheduleFired) {
        self.watchers.iter().for_each(|watcher| watcher.tell(News::Fired(firing.clone())));
    }

    pub(crate) fn answered(&self, execution_id: ExecutionId, name: &str, answered_by: Option<&str>) {
        let answer = || InputAnswered { execution_id, name: name.to_owned(), answered_by: answered_by.map(str::to_owned) };
        self.watchers.iter().for_each(|watcher| watcher.tell(News::Answered(answer())));
    }

    /// Waits until the observers have received every call so far, at most for `limit`.
    pub(crate) async fn drain(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        for watcher in self.watchers.iter() {
            watcher.drain(deadline).await;
        }
    }
}

impl Observed {
    /// Whether there is an observer.
    pub(crate) fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    pub(crate) fn started(&self) {
        self.tell(|execution| News::Started(ExecutionStarted { execution }));
    }

    /// Asks every observer whether an attempt may begin; the failure says who refused it, and why.
    pub(crate) async fn consent(&self, key: &str, attempt: u32) -> Result<(), Failure> {
        let Some(watched) = &self.watched else { return Ok(()) };
        let direction = Direction::of(key);
        let step = StepBegins { execution: watched.execution.clone(), key: key.to_owned(), attempt, direction };
        for watcher in watched.observers.watchers.iter() {
            if direction == Direction::Rollback {
                watcher.tell(News::StepBegins(step.clone(), None));
            } else if let Consent::Refuse(reason) = watcher.ask(step.clone()).await {
                let message = format!("`{}` refused `{key}`: {reason}", watcher.name());
                return Err(Failure::new(ErrorKind::Refused, message));
            }
        }
        Ok(())
    }

    /// An attempt ended well.
    pub(crate) fn step_succeeded(&self, key: &str, attempt: u32, took: Duration) {
        self.step_ended(key, attempt, took, None, None);
    }

    /// An attempt failed; another follows at `retry_at`, if one does.
    pub(crate) fn step_failed(&self, key: &str, attempt: u32, took: Duration, error: &Failure, retry_at: Option<DateTime<Utc>>) {
        self.step_ended(key, attempt, took, Some(error), retry_at);
    }

    fn step_ended(&self, key: &str, attempt: u32, took: Duration, error: Option<&Failure>, retry_at: Option<DateTime<Utc>>) {
        self.tell(|execution| {
            let direction = Direction::of(key);
            let (key, error) = (key.to_owned(), error.cloned());
            News::StepEnded(StepEnded { execution, key, attempt, direction, took, error, retry_at })
        });
    }

    /// What an attempt left is committed.
    pub(crate) fn step_recorded(&self, key: &str, attempt: u32, error: Option<&Failure>) {
        self.tell(|execution| {
            let (key, direction, error) = (key.to_owned(), Direction::of(key), error.cloned());
            News::StepRecorded(StepRecorded { execution, key, attempt, direction, error })
        });
    }

    /// It waits since `now`.
    pub(crate) fn waits(&self, wait: &NewWait, now: DateTime<Utc>) {
        self.tell(|execution| {
            let due_at = match wait.due {
                Due::Never => None,
                Due::After(delay) => Some(clock::after(now, delay)),
                Due::At(time) => Some(time),
            };
            News::WaitBegan(WaitBegan { execution, key: wait.key.clone(), kind: wait.kind, names: names(wait), due_at })
        });
    }

    pub(crate) fn rolls_back(&self, reason: &Failure) {
        self.tell(|execution| News::RollbackBegan(RollbackBegan { execution, reason: reason.clone() }));
    }

    pub(crate) fn completed(&self) {
        self.tell(|execution| News::Completed(ExecutionCompleted { execution }));
    }

    /// It ended in this state, which is not `completed`.
    pub(crate) fn failed(&self, state: ExecutionState, error: &Failure) {
        let state =
            if state == ExecutionState::Cancelled && error.kind == ErrorKind::Expired { ExecutionState::Expired } else { state };
        self.tell(|execution| News::Failed(ExecutionFailed { execution, state, error: error.clone() }));
    }

    fn tell(&self, news: impl Fn(ObservedExecution) -> News) {
        let Some(watched) = &self.watched else { return };
        for watcher in watched.observers.watchers.iter() {
            watcher.tell(news(watched.execution.clone()));
        }
    }
}

/// The names of what ends the wait.
fn names(wait: &NewWait) -> Vec<String> {
    let any = wait.details.as_ref().and_then(|details| details.names.clone());
    any.unwrap_or_else(|| Some(&wait.name).filter(|name| !name.is_empty()).cloned().into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Notes which steps it was asked about, and refuses those of one name.
    struct Gatekeeper {
        refuses: &'static str,
        asked: Arc<Mutex<Vec<String>>>,
    }

    impl Observer for Gatekeeper {
        fn before_step(&self, step: &StepBegins) -> Consent {
            self.asked.lock().unwrap().push(format!("{} by who refuses {}", step.key, self.refuses));
            if step.key == self.refuses { Consent::refuse("not today") } else { Consent::Proceed }
        }
    }

    fn watched(refusing: &[&'static str]) -> (Observed, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::default();
        let mut registered = RegisteredObservers::default();
        refusing.iter().for_each(|refuses| registered.add(Gatekeeper { refuses, asked: Arc::clone(&asked) }));
        (registered.start().unwrap().of(ExecutionId::new(), "order", 2), asked)
    }

    #[tokio::test]
    async fn observers_are_asked_in_order_until_one_refuses() {
        let (observed, asked) = watched(&["pay", "ship"]);
        assert!(observed.consent("pack", 1).await.is_ok());
        let refused = observed.consent("pay", 1).await.unwrap_err();
        assert!(refused.message.contains("Gatekeeper` refused `pay`: not today"), "{refused}");
        assert!(observed.consent("ship", 1).await.is_err());
        let expected = [
            "pack by who refuses pay",
            "pack by who refuses ship",
            "pay by who refuses pay",
            "ship by who refuses pay",
            "ship by who refuses ship",
        ];
        assert_eq!(*asked.lock().unwrap(), expected);
    }

    #[tokio::test]
    async fn what_undoes_a_step_cannot_be_refused() {
        let (observed, asked) = watched(&["undo/step pay"]);
        assert!(observed.consent("undo/step pay", 1).await.is_ok());
        observed.watched.as_ref().unwrap().observers.drain(Duration::from_secs(30)).await;
        assert_eq!(asked.lock().unwrap().len(), 1, "the observer is called all the same");
    }

    #[tokio::test]
    async fn nothing_is_made_without_observers() {
        let (observed, _) = watched(&[]);
        assert!(observed.watched.is_none());
        observed.tell(|_| unreachable!("there is no observer"));
        assert!(observed.consent("pay", 1).await.is_ok());
    }

    #[test]
    fn news_reads_well_as_json() {
        let execution = ObservedExecution { id: ExecutionId::new(), workflow: "order".to_owned(), version: 2 };
        let took = Duration::from_millis(1500);
        let error = Some(Failure::new(ErrorKind::Failed, "no"));
        let (key, direction) = ("undo/step pay".to_owned(), Direction::Rollback);
        let id = execution.id;
        let shown =
            serde_json::to_value(StepEnded { execution, key, attempt: 3, direction, took, error, retry_at: None }).unwrap();
        let expected = serde_json::json!({
            "execution_id": id, "workflow": "order", "version": 2, "key": "undo/step pay", "attempt": 3,
            "direction": "rollback", "took": 1.5, "error": {"kind": "failed", "message": "no"}, "retry_at": null,
        });
        assert_eq!(shown, expected);
    }
}
