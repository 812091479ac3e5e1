//! Replays journals over the code of this program before it is deployed: does the code fit what is under way?

use std::fmt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;

use super::{Durable, ExecutionList};
use crate::context::Workflow;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{ExecutionState, Journal};
use crate::registry::Registry;
use crate::store::exports;
use crate::worker::replay::{Replayed, Replayer};

/// Most journals that are read by one statement.
const JOURNALS_AT_ONCE: u32 = 100;

/// The states of executions that a worker may still have to replay.
const LIVE: [ExecutionState; 6] = [
    ExecutionState::Pending,
    ExecutionState::Running,
    ExecutionState::Waiting,
    ExecutionState::Paused,
    ExecutionState::Stopped,
    ExecutionState::Compensating,
];

/// Replays journals over the workflows that are registered here, and reports which of them do not fit. No step runs, nothing is
/// written, and nothing is claimed.
///
/// As a test, over journals that `durable execution export` has written; it needs no database:
///
/// ```no_run
/// # use durable::prelude::*;
/// # struct Ship;
/// # #[workflow] impl Ship { async fn run(&self, _cx: &Context, parcel: u64) -> Result<u64> { Ok(parcel) } }
/// use durable::Replay;
///
/// #[tokio::test]
/// async fn the_code_fits_the_journals_of_production() {
///     let report = Replay::new().register(Ship).folder("tests/journals").await.unwrap();
///     assert!(report.fits(), "{report}");
/// }
/// ```
///
/// Before a deployment, over the executions that are under way, in a program of yours with the code that is to be deployed:
///
/// ```no_run
/// # use durable::prelude::*;
/// # struct Ship;
/// # #[workflow] impl Ship { async fn run(&self, _cx: &Context, parcel: u64) -> Result<u64> { Ok(parcel) } }
/// use durable::Replay;
///
/// #[tokio::main]
/// async fn main() -> Result<std::process::ExitCode> {
///     // A client: it registers nothing, and so it claims nothing.
///     let durable = Durable::builder().database_url("postgres://localhost/shop").start().await?;
///     let report = durable.verify_replay(&Replay::new().register(Ship)).await?;
///     eprintln!("{report}");
///     Ok(report.exit_code())
/// }
/// ```
#[derive(Debug, Default)]
#[must_use = "nothing is replayed before journals are given"]
pub struct Replay {
    registry: Registry,
    refused: Option<Error>,
}

/// What replays came to. `Display` is a text for people; by serde it is JSON.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct ReplayReport {
    /// How many journals the code fits, those in `not_compared` included.
    pub ok: usize,
    /// Journals that go on after a call which the code makes and which is not recorded: what comes after it was not compared.
    pub not_compared: Vec<NotCompared>,
    /// Journals that the code does not fit: a worker with this code would stop the executions.
    pub diverged: Vec<Divergence>,
    /// Executions whose workflow and version are not registered here: a worker with this code would leave them in their queues.
    pub unknown: Vec<UnknownWorkflow>,
    /// Journals that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// An execution that the code does not fit.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Divergence {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its workflow, and the version.
    pub workflow: String,
    /// The version of the workflow.
    pub version: u32,
    /// What was recorded and what the code asks for, as in the error of a stopped execution.
    pub report: String,
}

/// An execution whose journal could not be compared to its end.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct NotCompared {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The journal keys that were not compared.
    pub keys: Vec<String>,
}

/// An execution of a workflow that is not registered.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct UnknownWorkflow {
    /// The execution.
    pub execution_id: ExecutionId,
    /// The name of its workflow.
    pub workflow: String,
    /// The version of its workflow.
    pub version: u32,
}

/// A journal that cannot be read.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Unreadable {
    /// The file, or the id of the execution.
    pub what: String,
    /// Why it cannot be read.
    pub problem: String,
}

impl Replay {
    /// Knows no workflow yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a workflow, as [`Builder::register`](super::Builder::register) does.
    pub fn register<W: Workflow>(mut self, workflow: W) -> Self {
        if let Err(error) = self.registry.register(Arc::new(workflow)) {
            self.refused.get_or_insert(error);
        }
        self
    }

    /// Replays one journal.
    ///
    /// # Errors
    /// `Invalid` if two registered workflows have the same name and version.
    pub async fn journal(&self, journal: &Journal) -> Result<ReplayReport> {
        let mut report = ReplayReport::default();
        self.add(&self.replayer()?, journal, &mut report).await;
        Ok(report)
    }

    /// Replays every journal in a folder: its files whose names end in `.json`, in the order of their names.
    ///
    /// # Errors
    /// `NotFound` if the folder cannot be read or has no such file; `Invalid` as for [`journal`](Self::journal). A file that
    /// cannot be read is part of the report.
    pub async fn folder(&self, folder: impl AsRef<Path>) -> Result<ReplayReport> {
        let (replayer, mut report) = (self.replayer()?, ReplayReport::default());
        for file in journal_files(folder.as_ref())? {
            let what = file.display().to_string();
            let text = std::fs::read_to_string(&file).map_err(Error::from);
            match text.and_then(|text| Journal::from_json(&text)) {
                Ok(journal) => self.add(&replayer, &journal, &mut report).await,
                Err(error) => report.unreadable.push(Unreadable { what, problem: error.to_string() }),
            }
        }
        Ok(report)
    }

    /// Replays the journals of the executions in this list, on all its pages. Without a filter by state, it replays the executions
    /// that have not ended. It writes nothing.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, replay: &durable::Replay) -> Result<()> {
    /// let report = replay.executions(durable.list_executions().workflow("ship")).await?;
    /// # drop(report); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Unavailable` if the database does not answer in time; `Invalid` as for [`journal`](Self::journal).
    pub async fn executions(&self, list: ExecutionList<'_>) -> Result<ReplayReport> {
        let (replayer, mut report) = (self.replayer()?, ReplayReport::default());
        let list = list.or_states(&LIVE).limit(JOURNALS_AT_ONCE);
        let durable = list.durable();
        let mut page = list.clone().await?;
        loop {
            let ids: Vec<ExecutionId> = page.executions.iter().map(|execution| execution.id).collect();
            let journals = durable.run("read journals", |pool| exports::export(durable.store(), pool, &ids)).await?;
            for (id, journal) in journals {
                match journal {
                    Ok(journal) => self.add(&replayer, &journal, &mut report).await,
                    Err(problem) => report.unreadable.push(Unreadable { what: id.to_string(), problem }),
                }
            }
            match page.next {
                Some(cursor) => page = list.clone().after(cursor).await?,
                None => return Ok(report),
            }
        }
    }

    fn replayer(&self) -> Result<Replayer> {
        match &self.refused {
            Some(refused) => Err(Error::of_kind(refused.kind(), refused.to_string())),
            None => Replayer::new(),
        }
    }

    async fn add(&self, replayer: &Replayer, journal: &Journal, report: &mut ReplayReport) {
        let (execution_id, workflow, version) = (journal.execution_id(), journal.workflow().to_owned(), journal.version());
        match replayer.replay(&self.registry, journal).await {
            Replayed::Fits => report.ok += 1,
            Replayed::NotCompared(keys) => {
                report.ok += 1;
                report.not_compared.push(NotCompared { execution_id, keys });
            }
            Replayed::Diverged(text) => report.diverged.push(Divergence { execution_id, workflow, version, report: text }),
            Replayed::Unknown => report.unknown.push(UnknownWorkflow { execution_id, workflow, version }),
        }
    }
}

impl ReplayReport {
    /// Whether the code fits every journal: nothing diverged, and everything was known and could be read.
    pub fn fits(&self) -> bool {
        self.diverged.is_empty() && self.unknown.is_empty() && self.unreadable.is_empty()
    }

    /// Success if the code [fits](Self::fits), and 1 otherwise: for the `main` of a program that verifies a release.
    pub fn exit_code(&self) -> ExitCode {
        if self.fits() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ok, not_compared, diverged, unknown, unreadable } = self;
        write!(
            f,
            "{ok} ok, {} diverged, {} of unknown workflows or versions, {} unreadable",
            diverged.len(),
            unknown.len(),
            unreadable.len()
        )?;
        for Divergence { execution_id, workflow, version, report } in diverged {
            write!(f, "\n\ndiverged: execution {execution_id} of workflow `{workflow}` version {version}: {report}")?;
        }
        for UnknownWorkflow { execution_id, workflow, version } in unknown {
            write!(f, "\n\nunknown: execution {execution_id}: workflow `{workflow}` version {version} is not registered")?;
        }
        for Unreadable { what, problem } in unreadable {
            write!(f, "\n\nunreadable: {what}: {problem}")?;
        }
        for NotCompared { execution_id, keys } in not_compared {
            let keys = keys.join(", ");
            write!(f, "\n\nok so far: execution {execution_id} comes to a call that is not recorded; not compared: {keys}")?;
        }
        Ok(())
    }
}

/// The journals in a folder, sorted by their names.
fn journal_files(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let no_journals = |problem: String| {
        let message = format!("{}: {problem}; write journals there with `durable execution export`", folder.display());
        Error::of_kind(ErrorKind::NotFound, message)
    };
    let entries = std::fs::read_dir(folder).map_err(|error| no_journals(error.to_string()))?;
    let files = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<_> = files.collect::<std::io::Result<_>>().map_err(|error| no_journals(error.to_string()))?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    if files.is_empty() {
        return Err(no_journals("has no file that ends in `.json`".to_owned()));
    }
    files.sort_unstable();
    Ok(files)
}

impl Durable {
    /// Replays every execution that has not ended over the workflows of `replay`, read-only, and reports which of them the code
    /// does not fit. This engine may be a client without workflows: then it claims nothing meanwhile. [`Replay::executions`] does
    /// it for a list with filters.
    ///
    /// # Errors
    /// As for [`Replay::executions`].
    pub async fn verify_replay(&self, replay: &Replay) -> Result<ReplayReport> {
        replay.executions(self.list_executions()).await
    }

    /// An execution and its journal as data, for a file or a replay; see [`Journal`].
    ///
    /// # Errors
    /// `NotFound` for an unknown execution; `Payload` if its rows cannot be read.
    pub async fn export(&self, id: ExecutionId) -> Result<Journal> {
        let ids = [id];
        let mut journals = self.run("export an execution", |pool| exports::export(self.store(), pool, &ids)).await?;
        match journals.pop() {
            Some((_, Ok(journal))) => Ok(journal),
            Some((_, Err(problem))) => {
                Err(Error::of_kind(ErrorKind::Payload, format!("execution {id} cannot be exported: {problem}")))
            }
            None => Err(Error::of_kind(ErrorKind::NotFound, format!("there is no execution {id}; check the id and the schema"))),
        }
    }
}
