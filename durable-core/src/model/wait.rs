//! Waits: what an execution waits for, and how each ended.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Refusal;
use super::tag::Tags;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::payload::{Json, Payload};

/// What a wait is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitKind {
    /// A time.
    Sleep,
    /// An event by name.
    Event,
    /// An answer of a person.
    Input,
    /// What is published to a topic.
    Topic,
    /// The end of a child execution.
    Child,
    /// Nothing: the execution closes the events of a name, and takes those that no wait has taken. It is over at once.
    Close,
}

impl WaitKind {
    /// The word used in SQL, JSON and journal keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Event => "event",
            Self::Input => "input",
            Self::Topic => "topic",
            Self::Child => "child",
            Self::Close => "close",
        }
    }

    /// Whether a wait of this kind has to say the name of what it waits for.
    pub(crate) fn is_named(self) -> bool {
        matches!(self, Self::Event | Self::Input | Self::Topic | Self::Close)
    }

    /// Whether a wait of this kind takes messages from the mailbox, and returns them if the wait is dropped.
    pub(crate) fn takes_messages(self) -> bool {
        matches!(self, Self::Event | Self::Input | Self::Close)
    }
}

/// How a person is asked. The SQL `CHECK` named `form_is_known` lists the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputForm {
    /// Yes or no.
    Approval,
    /// One of several options.
    Choice,
    /// Any number of several options.
    Choices,
    /// A text.
    Text,
    /// A number.
    Number,
    /// Whatever the JSON Schema says.
    #[default]
    Form,
}

impl InputForm {
    /// The word used in SQL and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Choice => "choice",
            Self::Choices => "choices",
            Self::Text => "text",
            Self::Number => "number",
            Self::Form => "form",
        }
    }
}

/// How a wait ended; exactly one is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitOutcome {
    /// A sleep is over.
    Elapsed,
    /// What was waited for came.
    Received,
    /// What was waited for did not come in time.
    TimedOut,
    /// The wait was cancelled, alone or with its execution.
    Cancelled,
    /// The execution has closed the events that were waited for.
    Closed,
}

/// A wait of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Wait {
    /// Its journal key, such as `event payment_confirmed`.
    pub key: String,
    /// What it is for.
    pub kind: WaitKind,
    /// The name of the event, input or topic.
    pub name: String,
    /// The names of the events any of which ends it; empty where it waits for one.
    pub names: Vec<String>,
    /// What a publication on the topic must be about, where that matters.
    pub correlation: Option<String>,
    /// The child it waits for.
    pub child_id: Option<ExecutionId>,
    /// How a person is asked.
    pub form: Option<InputForm>,
    /// What the person is shown.
    pub prompt: Option<String>,
    /// What the workflow says about the question, for the program that shows it.
    pub metadata: Option<Json>,
    /// The person or group who is to answer.
    #[serde(default)]
    pub assignee: Option<String>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ends by itself, if ever.
    pub due_at: Option<DateTime<Utc>>,
    /// How it ended; `None` while it is open.
    pub outcome: Option<WaitOutcome>,
    /// What was received.
    pub payload: Option<Json>,
    /// Who answered, as the client that gave the answer named them.
    pub answered_by: Option<String>,
    /// When it ended.
    pub resolved_at: Option<DateTime<Utc>>,
}

/// A time in a sentence.
pub(super) fn time(at: DateTime<Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}

/// An input that a workflow asks for and that is not given yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PendingInput {
    /// The execution that asks.
    pub execution_id: ExecutionId,
    /// The name of its workflow.
    pub workflow: String,
    /// The journal key of the wait, which tells questions of one name apart.
    pub key: String,
    /// The name to answer under.
    pub name: String,
    /// How to ask.
    pub form: InputForm,
    /// What to show the person who is asked.
    pub prompt: Option<String>,
    /// The JSON Schema that an answer must fit.
    pub schema: Option<Json>,
    /// What the workflow says about the question, for the program that shows it.
    pub metadata: Option<Json>,
    /// The person or group who is to answer; `None` if it has no assignee.
    #[serde(default)]
    pub assignee: Option<String>,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// When the workflow goes on without an answer, if ever.
    pub due_at: Option<DateTime<Utc>>,
    /// The newest answer that the workflow could not use, if there was one.
    pub refusal: Option<Refusal>,
    /// Columns of its row that could not be read, and why; these fields are empty here. `None` if all could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// What [`Durable::update_input`](crate::client::Durable::update_input) has changed of an open question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct UpdatedInput {
    /// The journal key of the question.
    pub key: String,
    /// When the workflow goes on without an answer now, if ever.
    pub due_at: Option<DateTime<Utc>>,
    /// When it would have gone on without an answer before.
    pub was_due_at: Option<DateTime<Utc>>,
    /// Who is to answer now; `None` if it has no assignee.
    pub assignee: Option<String>,
    /// Who was to answer before.
    pub was_assignee: Option<String>,
}

/// Longest name of who is to answer, in bytes, as that of a tag; it is indexed. `update_input.sql` has the same limit.
const LONGEST_ASSIGNEE: usize = 500;

/// Refuses a name of who is to answer that cannot be indexed or shown.
pub(crate) fn check_assignee(input: &str, assignee: &str) -> Result<()> {
    let problem = match assignee.len() {
        length if !(1..=LONGEST_ASSIGNEE).contains(&length) => {
            format!("the assignee of input `{input}` has {length} bytes; give 1 to {LONGEST_ASSIGNEE} bytes")
        }
        _ if assignee.contains(char::is_control) => {
            format!("the assignee of input `{input}` has control characters; give a name without them")
        }
        _ => return Ok(()),
    };
    Err(Error::of_kind(ErrorKind::Invalid, problem))
}

/// A wait that an execution is about to register.
#[derive(Debug, Clone)]
pub(crate) struct NewWait {
    pub(crate) key: String,
    pub(crate) kind: WaitKind,
    pub(crate) name: String,
    pub(crate) due: Due,
    pub(crate) prompt: Option<String>,
    pub(crate) schema: Option<String>,
    pub(crate) details: Option<Box<WaitDetails>>,
}

impl NewWait {
    /// Whether anything waits for it: a child that is only started, and a close, are registered in the same way.
    pub(crate) fn is_awaited(&self) -> bool {
        let child = self.details.as_ref().and_then(|details| details.child.as_ref());
        self.kind != WaitKind::Close && child.is_none_or(|child| child.policy == ParentPolicy::Await)
    }
}

/// A message that a wait has received and cannot use.
#[derive(Debug, Clone)]
pub(crate) struct RefusedMessage {
    /// The key of the wait, which is open again.
    pub(crate) key: String,
    /// The wait may receive another message before the refusal is recorded.
    pub(crate) message_id: Option<Uuid>,
    pub(crate) reason: String,
}

/// What only some waits have. `durable.park` reads it by these names.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct WaitDetails {
    /// Any of these events ends the wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) names: Option<Vec<String>>,
    /// Whose publications of the topic are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) correlation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) form: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) metadata: Option<Box<RawValue>>,
    /// Who is to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) assignee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) child: Option<NewChild>,
    /// That of the arguments of a step which the child runs, or of the values that a question of a graph is about. An answer to such
    /// a question is of no use to another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<i64>,
}

/// A child execution that is created together with the wait for it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct NewChild {
    pub(crate) id: ExecutionId,
    pub(crate) workflow: String,
    pub(crate) version: u32,
    pub(crate) queue: String,
    /// `None` for that of its parent, and then its concurrency key, too.
    pub(crate) priority: Option<i16>,
    pub(crate) key: Option<String>,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) input: Box<RawValue>,
    /// In seconds, as SQL reads it.
    pub(crate) time_to_live: Option<f64>,
    pub(crate) policy: ParentPolicy,
    /// The completed execution whose steps it undoes; then workflow, queue and input are that one's.
    pub(crate) undoes: Option<ExecutionId>,
    /// Whether a compensation starts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by_compensation: Option<bool>,
    /// The step that it runs, if it runs no workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<SentStep>,
    /// Where the call stands in its trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_context: Option<String>,
    #[serde(skip_serializing_if = "Tags::is_empty")]
    pub(crate) tags: Tags,
    /// Whether it gets its parent's tags, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) inherits_tags: Option<bool>,
}

/// A step that is sent to another queue, as the execution that runs it keeps the step.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct SentStep {
    /// The step's journal key in the execution that sends it.
    pub(crate) key: String,
    /// The execution to which the step belongs.
    pub(crate) owner_id: ExecutionId,
    /// The namespace of that execution.
    pub(crate) owner_namespace: ExecutionId,
    /// Whether the step is undone if it fails, or if the execution that sent it no longer waits for it.
    pub(crate) undo_on_failure: bool,
}

/// What the end of its parent does to a child. The SQL `CHECK` named `parent_policy_is_known` lists the same words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParentPolicy {
    /// The parent waits for the child. The child is cancelled if the parent ends or stops waiting before it.
    Await,
    /// The parent does not wait. The child is cancelled or rolled back if the parent is; otherwise it continues.
    Cancel,
    /// The parent does not wait. The child continues, whatever happens to the parent.
    Detach,
}

/// When a wait ends by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    Never,
    /// After its registration, by the database's clock.
    After(Duration),
    At(DateTime<Utc>),
}

impl Due {
    /// In the range that Postgres holds: a wait of over a thousand years, or until after the year 9999, never ends, and a time
    /// before 1970 becomes 1970.
    pub(crate) fn settled(self) -> Self {
        match self {
            Self::After(delay) if delay > clock::LONGEST => Self::Never,
            Self::At(time) if time > clock::LAST => Self::Never,
            Self::At(time) => Self::At(time.max(DateTime::UNIX_EPOCH)),
            due => due,
        }
    }
}

/// A wait as the journal has it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RecordedWait {
    pub(crate) key: String,
    /// `None` while it is open.
    pub(crate) outcome: Option<WaitOutcome>,
    #[serde(default)]
    pub(crate) payload: Option<Box<RawValue>>,
    #[serde(default)]
    pub(crate) child_id: Option<ExecutionId>,
    #[serde(default)]
    pub(crate) answered_by: Option<String>,
    #[serde(default)]
    pub(crate) resolved_at: Option<DateTime<Utc>>,
    /// The message that it received.
    #[serde(default)]
    pub(crate) message_id: Option<Uuid>,
    /// That of the arguments of a step which the child runs; only where the whole journal is loaded.
    #[serde(default)]
    pub(crate) digest: Option<i64>,
}

impl RecordedWait {
    pub(crate) fn payload(&self) -> Payload {
        self.payload.as_ref().map_or_else(Payload::null, |payload| Payload(payload.get().into()))
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.outcome == Some(WaitOutcome::Cancelled)
    }
}
