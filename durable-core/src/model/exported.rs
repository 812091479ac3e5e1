//! An execution and its journal as data: what is exported, and what a replay reads.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Checkpoint, Claimed, ClaimedStep, FailedAttempt, JournalRecords, Outcome, RecordedWait, WaitOutcome};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::payload::{Json, Payload};

/// The version of the format of an exported journal.
const FORMAT: u32 = 1;

/// An execution and its journal: what the execution was started with, and everything that its calls have recorded.
///
/// [`Durable::export`](crate::client::Durable::export) reads one from the database, and `durable execution export` prints it. It
/// is JSON by serde; the guide's page on versions describes the format. Payloads keep all their digits.
///
/// ```no_run
/// # use durable::prelude::*;
/// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
/// let journal = durable.export(id).await?.redact(|at, payload| match at {
///     "input" => serde_json::json!({ "card": "4111" }).into(),
///     _ => payload,
/// });
/// std::fs::write(format!("tests/journals/{id}.json"), journal.to_json()?)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journal {
    format: u32,
    execution_id: ExecutionId,
    namespace: ExecutionId,
    workflow: String,
    version: u32,
    /// The release of the application whose worker had the execution last, if that worker has a row and said so.
    release: Option<String>,
    state: String,
    created_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    scheduled_for: Option<DateTime<Utc>>,
    continuations: u32,
    undoes: Option<ExecutionId>,
    step: Option<StepOf>,
    input: Json,
    output: Option<Json>,
    error: Option<Json>,
    rollback: Option<Json>,
    checkpoints: Vec<ExportedCheckpoint>,
    attempts: Vec<ExportedAttempt>,
    waits: Vec<ExportedWait>,
}

/// What every journal begins with, whatever its format.
#[derive(Deserialize)]
struct Header {
    format: u32,
}

/// The step that the execution runs for another one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StepOf {
    key: String,
    owner_id: ExecutionId,
    owner_namespace: ExecutionId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ExportedCheckpoint {
    key: String,
    /// A number of 64 bits, as text: not every program reads such numbers.
    digest: Option<String>,
    attempt: u32,
    started_at: Option<String>,
    finished_at: Option<String>,
    undo_order: Option<i32>,
    output: Option<Json>,
    error: Option<Json>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ExportedAttempt {
    key: String,
    attempt: u32,
    started_at: Option<String>,
    finished_at: Option<String>,
    retry_at: Option<String>,
    error: Option<Json>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ExportedWait {
    key: String,
    kind: String,
    name: String,
    started_at: Option<String>,
    due_at: Option<String>,
    digest: Option<String>,
    child_id: Option<ExecutionId>,
    outcome: Option<WaitOutcome>,
    resolved_at: Option<String>,
    message_id: Option<Uuid>,
    /// Journals of earlier releases do not say.
    #[serde(default)]
    assignee: Option<String>,
    answered_by: Option<String>,
    payload: Option<Json>,
}

impl Journal {
    /// Reads the JSON text of a journal.
    ///
    /// # Errors
    /// `Invalid` if the text is not a journal, or has a later format.
    pub fn from_json(text: &str) -> Result<Self> {
        let unfit =
            |error| Error::of_kind(ErrorKind::Invalid, format!("this is not an exported journal: {error}; export it again"));
        let Header { format } = serde_json::from_str(text).map_err(unfit)?;
        if format == FORMAT {
            return serde_json::from_str(text).map_err(unfit);
        }
        let problem = format!(
            "the journal has format {format}, and this version of Durable reads format {FORMAT}: use the version that wrote it"
        );
        Err(Error::of_kind(ErrorKind::Invalid, problem))
    }

    /// The journal as JSON text, indented.
    ///
    /// # Errors
    /// `Payload` if it cannot be written, which does not happen to a journal that was read.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self);
        text.map(|text| text + "\n").map_err(|error| Error::of_kind(ErrorKind::Payload, error.to_string()))
    }

    /// The id of the execution.
    pub fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }

    /// The name of its workflow.
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// The version of its workflow.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Replaces payloads, such as secrets: `redact` is given where each is, and the payload, and returns what is kept. Places are
    /// `input`, `output`, `error`, `rollback`, and the journal key of a call, as in `step charge` and `event paid`; a failed
    /// attempt has the key of its step. Keep the shape of a payload that the code decodes, or a replay of the journal cannot read
    /// it. Arguments of steps are compared by their digest, so a value that code passes to a step must stay as it is.
    #[must_use]
    pub fn redact(mut self, mut redact: impl FnMut(&str, Json) -> Json) -> Self {
        let mut each = |at: &str, payload: &mut Option<Json>| *payload = payload.take().map(|payload| redact(at, payload));
        let mut input = Some(std::mem::take(&mut self.input));
        each("input", &mut input);
        self.input = input.unwrap_or_default();
        each("output", &mut self.output);
        each("error", &mut self.error);
        each("rollback", &mut self.rollback);
        for ExportedCheckpoint { key, output, error, .. } in &mut self.checkpoints {
            each(key, output);
            each(key, error);
        }
        self.attempts.iter_mut().for_each(|attempt| each(&attempt.key, &mut attempt.error));
        self.waits.iter_mut().for_each(|wait| each(&wait.key, &mut wait.payload));
        self
    }

    /// The execution as a claim would return it.
    pub(crate) fn as_claimed(&self) -> Claimed {
        Claimed {
            worker: WorkerId::new(),
            id: self.execution_id,
            // Its journal is read, as at a later claim.
            epoch: Epoch(2),
            workflow: self.workflow.clone(),
            version: self.version,
            queue: String::new(),
            claims: 1,
            continued: false,
            answer_lost: false,
            deadline_at: None,
            input: self.input.to_payload(),
            resolved: None,
            rollback: self.rollback.as_ref().map(failure),
            undoes: self.undoes,
            awaited: false,
            limited: false,
            scheduled_for: self.scheduled_for,
            namespace: self.namespace,
            step: self.step.as_ref().map(|step| ClaimedStep {
                key: step.key.clone(),
                owner_id: step.owner_id,
                owner_namespace: step.owner_namespace,
            }),
            trace_context: None,
            started_at: None,
            ready_at: None,
        }
    }

    /// What is recorded, as a replay reads it.
    pub(crate) fn records(&self) -> JournalRecords {
        JournalRecords {
            checkpoints: self.checkpoints.iter().map(ExportedCheckpoint::record).collect(),
            attempts: self.attempts.iter().map(|attempt| attempt.record(self.execution_id)).collect(),
            waits: self.waits.iter().map(ExportedWait::record).collect(),
            newest: None,
        }
    }
}

impl ExportedCheckpoint {
    fn record(&self) -> Checkpoint {
        let outcome = match &self.error {
            Some(error) => Outcome::Error(Box::new(failure(error))),
            None => Outcome::Output(self.output.as_ref().map_or_else(Payload::null, Json::to_payload)),
        };
        Checkpoint {
            digest: number(self.digest.as_ref()).map(i64::cast_unsigned),
            attempt: self.attempt,
            undo_order: self.undo_order,
            ..Checkpoint::of(self.key.clone(), outcome)
        }
    }
}

impl ExportedAttempt {
    fn record(&self, execution_id: ExecutionId) -> FailedAttempt {
        FailedAttempt {
            execution_id,
            key: self.key.clone(),
            attempt: self.attempt,
            took: Duration::ZERO,
            failure: self.error.as_ref().map(|error| Box::new(failure(error))),
            retry_at: time(self.retry_at.as_ref()),
        }
    }
}

impl ExportedWait {
    fn record(&self) -> RecordedWait {
        RecordedWait {
            key: self.key.clone(),
            outcome: self.outcome,
            payload: self.payload.as_ref().and_then(|payload| RawValue::from_string(payload.as_str().to_owned()).ok()),
            child_id: self.child_id,
            answered_by: self.answered_by.clone(),
            resolved_at: time(self.resolved_at.as_ref()),
            message_id: self.message_id,
            digest: number(self.digest.as_ref()),
        }
    }
}

fn number(text: Option<&String>) -> Option<i64> {
    text?.parse().ok()
}

/// A time as Postgres writes it into JSON; one that Rust cannot hold counts as none.
fn time(text: Option<&String>) -> Option<DateTime<Utc>> {
    text?.parse().ok()
}

fn failure(recorded: &Json) -> Failure {
    recorded.decode().unwrap_or_else(|_| Failure::new(ErrorKind::Failed, recorded.as_str()))
}
