//! Replays the journal of an execution over the code that is registered, and goes no further: no step runs, and nothing is
//! written.

use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use chrono::DateTime;
use tokio::sync::watch;
use tokio::time::Instant;

use super::begin::under_current_names;
use super::flow::Flow;
use crate::clock::{Clock, Reading};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ExecutionId, Home};
use crate::model::{Claimed, ExecutionValue, Journal, StoredNode, Tags};
use crate::observer::{Observed, RegisteredObservers};
use crate::plan::{divergence, rollback};
use crate::registry::{Registered, Registry};
use crate::running::BoxFuture;
use crate::running::hold::{Hold, Verdict};
use crate::running::ledger::{FamilyNews, Here, Ledger, SharedLedger};
use crate::running::rest::Rest;
use crate::running::run::Run;
use crate::store::attempts::AttemptRecord;
use crate::store::continuations::{Continuation, Continued};
use crate::store::parks::{Park, ParkOutcome};
use crate::store::saves::{Save, Written};
use crate::store::transactions::{Commit, Committed, Open};
use crate::telemetry::{Metrics, Tracing};

/// How long code may wait for something that is no durable call, before the replay counts as over.
const FOREIGN_PATIENCE: Duration = Duration::from_millis(200);

/// Where the replay of a journal came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Replayed {
    /// The code asked for what is recorded, up to the end of the journal or of the code.
    Fits,
    /// The code came to a call that is not recorded, before it asked for these entries: they are not compared.
    NotCompared(Vec<String>),
    /// The code does not fit; with the report that the stopped execution would have.
    Diverged(String),
    /// No code is registered for its workflow and version.
    Unknown,
}

/// What replays need of a process.
#[derive(Debug)]
pub(crate) struct Replayer {
    ledger: SharedLedger,
    clock: Arc<Clock>,
    observed: Observed,
}

impl Replayer {
    pub(crate) fn new() -> Result<Self> {
        let reading = Reading { database: DateTime::UNIX_EPOCH, taken: Instant::now(), frozen: true };
        let observers = RegisteredObservers::default().start()?;
        Ok(Self {
            ledger: Arc::new(ReadOnly::default()),
            clock: Arc::new(Clock::new(reading, Duration::from_secs(1))),
            observed: observers.of(ExecutionId::new(), "", 0),
        })
    }

    /// Replays a journal over the code that is registered for it.
    pub(crate) async fn replay(&self, registry: &Registry, journal: &Journal) -> Replayed {
        let claimed = journal.as_claimed();
        let Some(registered) = registry.find(&claimed.workflow, claimed.version) else { return Replayed::Unknown };
        let metrics = Metrics::default().of(&claimed.workflow, &claimed.queue);
        let trace = Tracing::default().of(&claimed);
        let run = Run::new(&claimed, self.ledger.clone(), self.clock.clone(), self.observed.clone(), trace, metrics, None);
        match begin(&run, registered, &claimed, journal) {
            Ok(Some(flow)) => until_it_stops(&run, flow).await,
            Ok(None) => Replayed::Fits,
            Err(report) => Replayed::Diverged(report),
        }
    }
}

/// The code at its beginning, over the journal; `None` if there is nothing for it to do.
fn begin(run: &Arc<Run>, registered: &Registered, claimed: &Claimed, journal: &Journal) -> Result<Option<Flow>, String> {
    run.only_read();
    if let Some(cause) = &claimed.rollback {
        run.turn_back(cause.clone());
    }
    run.load(under_current_names(&claimed.workflow, registered, journal.records())?, false);
    let flow = if claimed.rollback.is_some() {
        let chain = rollback::chain(&claimed.workflow, &registered.compensations, run.cut_off(), run.undoable())?;
        if chain.is_empty() {
            return Ok(None);
        }
        Flow::back(run, registered, chain)
    } else {
        Flow::forward(run, registered, claimed.input.clone())
    };
    Ok(Some(flow))
}

/// Polls the code until it ends, or until nothing that is recorded takes it further.
async fn until_it_stops(run: &Arc<Run>, mut flow: Flow) -> Replayed {
    let root = flow.root();
    let rest = loop {
        let mut rest = std::pin::pin!(flow.until_rest());
        let polled = std::future::poll_fn(|cx: &mut task::Context<'_>| Poll::Ready(rest.as_mut().poll(cx))).await;
        break match polled {
            // What it would write now is left out, and it goes on.
            Poll::Ready(Rest::Unwritten) => {
                run.discard_unsent();
                continue;
            }
            Poll::Ready(rest) => Some(rest),
            Poll::Pending if root.wakers.goes_on() => tokio::time::timeout(FOREIGN_PATIENCE, rest).await.ok(),
            Poll::Pending => None,
        };
    };
    let is_rollback = run.rollback().is_some();
    match rest {
        Some(Rest::Ended(Verdict::Diverged(report))) => Replayed::Diverged(report),
        Some(Rest::Ended(Verdict::Refused(failure)) | Rest::Panicked(failure)) => Replayed::Diverged(failure.to_string()),
        // A rollback keeps the entries that it undoes, and never asks for them.
        Some(Rest::Finished(_) | Rest::Ended(Verdict::Continued(_))) if !is_rollback => {
            let unasked = run.unasked();
            match unasked.is_empty() {
                true => Replayed::Fits,
                false => Replayed::Diverged(divergence::unasked(&run.id.to_string(), &unasked)),
            }
        }
        _ => match run.not_reached() {
            keys if keys.is_empty() || is_rollback => Replayed::Fits,
            keys => Replayed::NotCompared(keys),
        },
    }
}

/// A ledger that writes nothing: it answers every write as an engine does that has shut down.
#[derive(Debug)]
struct ReadOnly {
    lease: watch::Sender<Instant>,
    /// Keeps the channel open.
    until: watch::Receiver<Instant>,
    here: Here,
}

impl Default for ReadOnly {
    fn default() -> Self {
        let (lease, until) = watch::channel(Instant::now() + Duration::from_secs(86_400 * 365));
        Self { lease, until, here: Here::default() }
    }
}

fn ended<T: Send + 'static>() -> BoxFuture<'static, Result<T>> {
    Box::pin(async { Err(Error::of_kind(ErrorKind::Unavailable, "a replay writes nothing")) })
}

impl Ledger for ReadOnly {
    fn save(&self, _save: Save) -> BoxFuture<'static, Result<Written>> {
        ended()
    }

    fn park<'park>(
        &'park self,
        _park: &'park Park,
        _given_up: &'park (dyn Fn() -> bool + Send + Sync),
    ) -> BoxFuture<'park, Result<ParkOutcome>> {
        ended()
    }

    fn record_attempt(&self, _record: AttemptRecord) -> BoxFuture<'static, Result<Written>> {
        ended()
    }

    fn read_value(&self, _id: ExecutionId, _name: &str) -> BoxFuture<'static, Result<Option<ExecutionValue>>> {
        ended()
    }

    fn read_nodes(&self, _id: ExecutionId) -> BoxFuture<'static, Result<Vec<StoredNode>>> {
        ended()
    }

    fn archive(&self, _id: ExecutionId, _hold: Hold) -> BoxFuture<'static, Result<()>> {
        ended()
    }

    fn read_tags(&self, _id: ExecutionId) -> BoxFuture<'static, Result<Tags>> {
        ended()
    }

    fn continue_as_new<'next>(&'next self, _continuation: &'next Continuation) -> BoxFuture<'next, Result<Continued>> {
        ended()
    }

    fn begin(&self) -> BoxFuture<'_, Result<Open>> {
        ended()
    }

    fn commit<'commit>(&'commit self, _transaction: Open, _commit: &'commit Commit) -> BoxFuture<'commit, Result<Committed>> {
        ended()
    }

    fn lease(&self) -> &watch::Receiver<Instant> {
        debug_assert!(!self.lease.is_closed());
        &self.until
    }

    fn tell(&self, _news: FamilyNews) {}

    fn new_id(&self, home: Home) -> ExecutionId {
        ExecutionId::new_in(home)
    }

    fn here(&self) -> &Here {
        &self.here
    }
}
