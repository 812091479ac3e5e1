//! A wait under a journal key: registered, polled until it is over, and read; or dropped.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorKind, Result};
use crate::model::{Due, NewWait, RecordedWait, WaitDetails, WaitKind, WaitOutcome};
use crate::payload::{self, Payload};
use crate::plan::question::Question;
use crate::plan::{divergence, graph, journal_key};
use crate::running::branch::Branch;
use crate::running::hold::Verdict;
use crate::running::run::Run;
use crate::running::scope::Scope;
use crate::running::under_way::UnderWay;

/// Longest name of an event, an input, a topic or a map, in bytes: it is part of journal keys, and those are indexed.
pub(in crate::context) const LONGEST_NAME: usize = 200;

/// Longest answer that is judged on the workflow's own thread, in bytes: a millisecond's work.
const JUDGED_AT_ONCE: usize = 64 * 1024;

/// A wait under a journal key; it ends when its outcome is recorded.
pub(in crate::context) struct Waiting<'a> {
    pub(super) scope: Arc<Scope>,
    under_way: Option<UnderWay>,
    /// Whether it is part of a durable call that marks itself as under way.
    is_part: bool,
    /// Whether it was polled, and is not over.
    open: bool,
    /// Whether it was open when last polled. Then no code has seen what it received since, under this claim or an earlier one.
    was_open: bool,
    pub(in crate::context) key: String,
    pub(super) kind: WaitKind,
    pub(super) name: String,
    pub(super) due: Due,
    pub(super) prompt: Option<String>,
    pub(super) schema: Option<Schema>,
    details: Option<Box<WaitDetails>>,
    pub(super) reminder: Option<Branch<'a, Infallible>>,
    /// Why it cannot be waited for.
    refused: Option<Error>,
}

/// The JSON Schema that an answer must fit.
#[derive(Clone)]
pub(super) enum Schema {
    /// That of a Rust type, made when it is needed.
    OfType(fn() -> serde_json::Value),
    Given(serde_json::Value),
}

/// How the value of a wait is read from what was recorded.
pub(super) type Read<T> = fn(&str, &RecordedWait) -> Result<T>;

impl<'a> Waiting<'a> {
    pub(in crate::context) fn new(scope: &Arc<Scope>, kind: WaitKind, name: &str) -> Self {
        let mut waiting = Self::with(scope, kind, name, scope.next_key(kind.as_str(), name));
        waiting.refused = unfit(kind, name).map(invalid);
        waiting
    }

    fn with(scope: &Arc<Scope>, kind: WaitKind, name: &str, key: String) -> Self {
        Self {
            scope: scope.clone(),
            under_way: None,
            is_part: false,
            open: false,
            was_open: false,
            key,
            kind,
            name: name.to_owned(),
            due: Due::Never,
            prompt: None,
            schema: None,
            details: None,
            reminder: None,
            refused: None,
        }
    }

    /// A wait under a key that is not taken from the scope.
    pub(in crate::context) fn under_key(scope: &Arc<Scope>, kind: WaitKind, key: &str) -> Self {
        Self::with(scope, kind, "", key.to_owned())
    }

    /// The wait of a call that marks itself as under way.
    pub(in crate::context) fn of_call(scope: &Arc<Scope>, kind: WaitKind, name: &str, key: &str) -> Self {
        let mut waiting = Self::with(scope, kind, name, key.to_owned());
        waiting.is_part = true;
        waiting
    }

    /// The wait for a message to a graph.
    pub(in crate::context) fn for_change(scope: &Arc<Scope>, key: String, due: Due) -> Self {
        let mut waiting = Self::of_call(scope, WaitKind::Event, graph::CHANGES, &key);
        waiting.due = due;
        waiting
    }

    /// The wait of a timer of a graph.
    pub(in crate::context) fn until(scope: &Arc<Scope>, key: &str, time: DateTime<Utc>) -> Self {
        let mut waiting = Self::of_call(scope, WaitKind::Sleep, "", key);
        waiting.due = Due::At(time);
        waiting
    }

    /// One of several waits of a call that is under way itself.
    pub(super) fn part_of(scope: &Arc<Scope>, kind: WaitKind, name: &str) -> Self {
        let mut waiting = Self::new(scope, kind, name);
        waiting.is_part = true;
        waiting
    }

    pub(in crate::context) fn details(&mut self) -> &mut WaitDetails {
        self.details.get_or_insert_default()
    }

    pub(in crate::context) fn refuse(&mut self, message: impl Into<String>) {
        self.refuse_with(invalid(message.into()));
    }

    pub(in crate::context) fn refuse_with(&mut self, error: Error) {
        self.refused.get_or_insert(error);
    }

    pub(in crate::context) fn take_refusal(&mut self) -> Option<Error> {
        self.refused.take()
    }

    fn to_register(&self) -> NewWait {
        NewWait {
            key: self.key.clone(),
            kind: self.kind,
            name: self.name.clone(),
            due: self.due.settled(),
            prompt: self.prompt.clone(),
            schema: self.schema.as_ref().map(|schema| schema.value().to_string()),
            details: self.details.clone(),
        }
    }

    pub(super) fn what(&self) -> String {
        let names = self.details.as_ref().and_then(|details| details.names.as_ref());
        let name = names.map_or_else(|| format!("`{}`", self.name), |names| quoted(names, " or "));
        format!("{} {name}", self.kind.as_str())
    }

    /// The value that was received; `None` when the time was over first. A message that cannot be used is refused, and the wait
    /// goes on. Errors begin with `what`.
    pub(super) async fn received<T>(mut self: Box<Self>, what: &str, read: Read<T>) -> Result<Option<T>> {
        let question = if self.was_answered_before() { None } else { self.question()? };
        loop {
            let over = std::future::poll_fn(|cx| self.poll_over(cx)).await;
            match over.outcome {
                Some(WaitOutcome::Received) => {
                    let (run, used) = (self.scope.run.clone(), self.was_used());
                    // A message that was used is not asked for again; it only has to be read.
                    let asked = question.as_ref().filter(|_| !used);
                    match judge(&run, asked, &over, |over| read(what, over)).await {
                        Ok(value) => {
                            self.close();
                            return Ok(Some(value));
                        }
                        Err(reason) if used => {
                            return run.stop(Verdict::Diverged(divergence::unreadable(&self.key, &reason))).await;
                        }
                        Err(reason) => self.put_back(&over, &reason),
                    }
                }
                Some(WaitOutcome::Cancelled) => {
                    self.close();
                    return Err(Error::of_kind(ErrorKind::Cancelled, format!("the wait for {what} was cancelled")));
                }
                Some(WaitOutcome::Closed) => {
                    self.close();
                    return Err(closed(what));
                }
                _ => {
                    self.close();
                    return Ok(None);
                }
            }
        }
    }

    /// The question that answers must fit. Fails if the wait is invalid, or if no value can answer it.
    fn question(&mut self) -> Result<Option<Question>> {
        if let Some(refused) = self.refused.take() {
            return Err(refused);
        }
        let Some(schema) = &self.schema else { return Ok(None) };
        Question::new(&self.name, &schema.value()).map(Some).map_err(invalid)
    }

    /// Whether the journal has the end of the wait, and the code continued after it under an earlier claim: what it asked then
    /// does not matter.
    fn was_answered_before(&self) -> bool {
        self.refused.is_none() && self.scope.run.has_ended(&self.key) && self.scope.run.has_gone_on_from(&self.key)
    }

    /// Whether the code used, under an earlier claim, the message that this wait finds in the journal.
    pub(super) fn was_used(&self) -> bool {
        !self.was_open && self.scope.run.has_gone_on_from(&self.key)
    }

    /// Goes on in another scope, whose future polls it from now on.
    pub(in crate::context) fn move_to(&mut self, scope: &Arc<Scope>) {
        self.scope = scope.clone();
    }

    /// Goes on waiting after a message that cannot be used.
    pub(in crate::context) fn put_back(&mut self, over: &RecordedWait, reason: &str) {
        // Code that only replays writes nothing: it stops here.
        if !self.scope.goes_no_further() {
            self.scope.run.refuse_message(self.scope.path(), over, reason);
            self.open = true;
            self.was_open = true;
        }
    }

    /// Notes that the code of a branch was given a message; should the branch lose, it goes back unless it was used.
    fn note_message(&self, over: &RecordedWait) {
        if self.kind.takes_messages() && over.outcome == Some(WaitOutcome::Received) && !self.scope.path().is_empty() {
            self.scope.run.give_message(self.scope.path(), &self.key);
        }
    }

    /// How the wait ended. It may be polled again after [`put_back`](Self::put_back).
    pub(in crate::context) fn poll_over(&mut self, cx: &mut task::Context<'_>) -> Poll<RecordedWait> {
        if self.under_way.is_none() && !self.is_part {
            self.under_way = Some(self.scope.set_out(&self.key));
        }
        let waker = self.scope.wakers.own(cx.waker());
        let run = self.scope.run.clone();
        // A wait that was opened under this claim stays open; a mere replay must not change the journal.
        self.open |= !self.scope.goes_no_further();
        let polled =
            if self.open { run.poll_wait(&self.key, || self.to_register(), waker.clone()) } else { run.replay_wait(&self.key) };
        if let Poll::Ready(over) = polled {
            self.open = false;
            self.note_message(&over);
            return Poll::Ready(over);
        }
        self.was_open = true;
        if let Some(reminder) = &mut self.reminder
            && let Poll::Ready(never) = reminder.poll(&waker)
        {
            match never {}
        }
        Poll::Pending
    }

    /// Ends the call, whether it used a message or none came.
    pub(super) fn close(&mut self) {
        self.end_reminder();
        self.under_way = None;
    }

    /// Ends the reminder, if there is one: what it did stays in the journal, and is not asked for again.
    fn end_reminder(&mut self) {
        if let Some(reminder) = self.reminder.take() {
            reminder.abandon();
            self.scope.run.pass_over(&journal_key::below(&self.key), "", &[]);
        }
    }
}

impl Future for Waiting<'_> {
    type Output = RecordedWait;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<RecordedWait> {
        let polled = self.poll_over(cx);
        if polled.is_ready() {
            self.close();
        }
        polled
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.open {
            self.scope.run.drop_wait(&self.key);
        }
    }
}

impl Schema {
    fn value(&self) -> Cow<'_, serde_json::Value> {
        match self {
            Self::OfType(schema) => Cow::Owned(schema()),
            Self::Given(schema) => Cow::Borrowed(schema),
        }
    }
}

/// Reads what was received; `Err` says why it cannot be used.
async fn judge<T>(
    run: &Arc<Run>,
    question: Option<&Question>,
    over: &RecordedWait,
    read: impl Fn(&RecordedWait) -> Result<T>,
) -> Result<T, String> {
    let mismatch = match question {
        Some(question) => mismatch(run, question, over.payload()).await,
        None => None,
    };
    mismatch.map_or_else(|| read(over).map_err(|error| error.to_string()), Err)
}

/// Why the answer does not fit the question. A long answer is judged on a blocking thread.
async fn mismatch(run: &Arc<Run>, question: &Question, answer: Payload) -> Option<String> {
    if answer.as_str().len() <= JUDGED_AT_ONCE {
        return question.mismatch(answer.as_str());
    }
    let _busy = run.begin_work();
    let question = question.clone();
    let judged = tokio::task::spawn_blocking(move || question.mismatch(answer.as_str()));
    match judged.await {
        Ok(mismatch) => mismatch,
        // The runtime is shutting down, and so is the run.
        Err(_) => std::future::pending().await,
    }
}

/// Why nothing of this name can be waited for.
pub(super) fn unfit(kind: WaitKind, name: &str) -> Option<String> {
    match name.len() {
        0 if kind.is_named() => Some(format!("this wait needs the name of its {}", kind.as_str())),
        length if length > LONGEST_NAME => {
            Some(format!("the name of this {} has {length} bytes, over the limit of {LONGEST_NAME}", kind.as_str()))
        }
        _ => None,
    }
}

/// Why a wait for an event has ended that no event can end.
fn closed(what: &str) -> Error {
    let problem = format!("{what} cannot come: the workflow has closed it with cx.close_events(…); wait for it before");
    Error::of_kind(ErrorKind::Closed, problem).into_permanent()
}

/// Names as a person lists them.
pub(super) fn quoted(names: &[String], between: &str) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(between)
}

pub(super) fn invalid(message: String) -> Error {
    Error::of_kind(ErrorKind::Invalid, message).into_permanent()
}

/// Reads what was received as it is.
pub(super) fn read_payload<T: DeserializeOwned>(what: &str, over: &RecordedWait) -> Result<T> {
    payload::decode(what, over.payload().as_str())
}
