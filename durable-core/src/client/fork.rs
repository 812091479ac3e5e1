//! Retries and forks: a new execution that continues an ended one, because a terminal state is final.

use std::collections::BTreeMap;
use std::future::IntoFuture;

use serde::Serialize;
use serde_json::value::RawValue;

use super::Durable;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::payload::{self, Payload};
use crate::plan::ask_again::{self, Unclear};
use crate::plan::retry_from::{self, Decisions, Entry};
use crate::store::forks::{self, Retry};
use crate::store::look;

/// Longest reason of an edit and longest name of a person, in bytes; as in `check_edits.sql`.
const LONGEST_REASON: usize = 1000;

/// A retry or a fork; await it for the id of the new execution. See [`Durable::retry`] and [`Durable::fork`].
#[derive(Debug)]
#[must_use = "nothing is begun until it is awaited"]
pub struct Fork<'durable> {
    durable: &'durable Durable,
    origin: ExecutionId,
    from_key: Option<String>,
    version: Option<u32>,
    edits: Edits,
    /// The questions to ask again, by what the caller calls them.
    asked_again: Vec<String>,
    unless_continued: bool,
}

/// What a person gives in the place of what is recorded.
#[derive(Debug, Default)]
struct Edits {
    input: Option<Result<Payload>>,
    /// By what the caller calls the step.
    outputs: Vec<(String, Result<Payload>)>,
    reason: Option<String>,
    by: Option<String>,
}

/// The edits as SQL takes them.
#[derive(Serialize)]
struct CheckedEdits<'edits> {
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<Box<RawValue>>,
    outputs: BTreeMap<String, Box<RawValue>>,
    reason: &'edits str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'edits str>,
}

impl Edits {
    /// The edits as JSON, checked; `None` if there are none.
    fn check(self, journal: &[Entry]) -> Result<Option<String>> {
        let Self { input, outputs, reason, by } = self;
        let invalid = |problem: String| Err(Error::of_kind(ErrorKind::Invalid, problem));
        if input.is_none() && outputs.is_empty() {
            return match reason.or(by) {
                Some(_) => invalid("a reason or a person without an edit; give `.input(…)` or `.output(…)`, too".to_owned()),
                None => Ok(None),
            };
        }
        let Some(reason) = reason.as_deref() else {
            return invalid("an edit has no reason; say why with `.reason(…)`, for the record".to_owned());
        };
        for (what, text) in [("reason", Some(reason)), ("person", by.as_deref())] {
            if text.is_some_and(|text| text.is_empty() || text.len() > LONGEST_REASON || text.contains('\0')) {
                return invalid(format!("the {what} of an edit has 1 to {LONGEST_REASON} bytes and no \\u0000"));
            }
        }
        let mut edited = BTreeMap::new();
        for (step, output) in outputs {
            let key = retry_from::meant(journal, &step);
            if !retry_from::is_step(&key) {
                return invalid(format!("the output of `{step}` cannot be given: only steps have one"));
            }
            if edited.insert(key, output?.to_raw()?).is_some() {
                return invalid(format!("the output of `{step}` is given twice"));
            }
        }
        let edits = CheckedEdits {
            input: input.transpose()?.map(|input| input.to_raw()).transpose()?,
            outputs: edited,
            reason,
            by: by.as_deref(),
        };
        payload::encode("the edits", &edits).map(|edits| Some(edits.as_str().to_owned()))
    }
}

impl Fork<'_> {
    /// Gives the new execution this input in the place of the recorded one. The steps that are kept were called under the former
    /// input: if the code calls one with other arguments now, the execution is stopped, and nothing is done. Needs a
    /// [`reason`](Self::reason).
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, failed: ExecutionId) -> Result<()> {
    /// let fork = durable.fork(failed, "ship").input(&"Berlin").reason("the address was wrong").by("ada").await?;
    /// # drop(fork); Ok(()) }
    /// ```
    pub fn input<T: Serialize + ?Sized>(mut self, input: &T) -> Self {
        self.edits.input = Some(payload::encode("the edited input", input));
        self
    }

    /// Records this output for a step, so that the step does not run in the new execution. The step is one that the execution has
    /// begun, by its name such as `charge` or `charge#2`, or by its journal key; whether it succeeded, failed or was cut off does
    /// not matter. Needs a [`reason`](Self::reason).
    ///
    /// The output of a step that had succeeded and is kept is replaced, and a rollback undoes the step with the new output. Any
    /// other step counts as done by a person, and a rollback does not undo it. If the output does not decode as what the step
    /// returns, the new execution is stopped when it comes to the step.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, failed: ExecutionId) -> Result<()> {
    /// let retry = durable.retry(failed).output("charge", &"receipt 4711").reason("charged by hand").by("ada").await?;
    /// # drop(retry); Ok(()) }
    /// ```
    pub fn output<T: Serialize + ?Sized>(mut self, step: impl Into<String>, output: &T) -> Self {
        let step = step.into();
        let output = payload::encode(format_args!("the output of `{step}`"), output);
        self.edits.outputs.push((step, output));
        self
    }

    /// Why the input or an output is edited, 1 to 1000 bytes. It is kept with the execution:
    /// [`ExecutionDetails::edits`](crate::model::ExecutionDetails::edits).
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.edits.reason = Some(reason.into());
        self
    }

    /// The person who edits, for the record, 1 to 1000 bytes.
    pub fn by(mut self, person: impl Into<String>) -> Self {
        self.edits.by = Some(person.into());
        self
    }

    /// Asks this question again in a retry, whether it was answered or timed out: the new execution does not take over its answer,
    /// nor anything that the workflow did after it. What it did before, and in branches beside the question, is kept. The question
    /// is given by its name, such as `approval` or `approval#2`, or by its journal key. May be called for several questions.
    ///
    /// The question gets the deadline and the assignee that the code gives it; changes that people made are not repeated. Events that
    /// the workflow took after the question are back in the mailbox, and later questions are asked again, too. If a question timed out
    /// and the workflow then failed without doing anything else, every retry asks it again.
    ///
    /// Steps that succeeded after the question run a second time. A later rollback undoes what the new execution did, and not what
    /// the first run of these steps did.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, failed: ExecutionId) -> Result<()> {
    /// let retry = durable.retry(failed).ask_again("approval").await?;
    /// # drop(retry); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` if the execution has not asked the question; the error lists the questions it has asked. `Conflict` if it has asked
    /// several questions of this name. `Invalid` for a fork, which begins at any question: `durable.fork(id, "input approval")`.
    pub fn ask_again(mut self, question: impl Into<String>) -> Self {
        self.asked_again.push(question.into());
        self
    }

    /// The version of the workflow that the new execution runs; by default that of the ended one. Its code must fit the journal.
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// Refuses a retry if a retry or a fork continues the execution already, even one that has failed.
    pub(super) fn unless_continued(self) -> Self {
        Self { unless_continued: true, ..self }
    }
}

impl<'durable> IntoFuture for Fork<'durable> {
    type Output = Result<ExecutionId>;
    type IntoFuture = BoxFuture<'durable, Result<ExecutionId>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, origin, from_key, version, edits, asked_again, unless_continued } = self;
            let unknown = |version| Error::of_kind(ErrorKind::Invalid, format!("no workflow has a version {version}"));
            let version = version.map(|version| i32::try_from(version).map_err(|_| unknown(version))).transpose()?;
            // Chosen here, so that a call whose answer was lost begins nothing twice.
            let new = ExecutionId::new_in(origin.home());
            let store = durable.store();
            // What has ended stays as it is, so the journal may be read before it is copied. Of what has not, nothing is read,
            // and the function refuses it.
            let journal = durable.run("read a journal", |pool| forks::outline(store, pool, origin)).await?;
            let edits = edits.check(&journal)?;
            let edits = edits.as_deref();
            let forked = match &from_key {
                Some(from_key) => {
                    if let Some(asked_again) = asked_again.first() {
                        let key = question(&journal, origin, asked_again)?;
                        let problem = format!("a fork asks again what comes after its beginning; fork from `{key}`");
                        return Err(Error::of_kind(ErrorKind::Invalid, problem));
                    }
                    let key = retry_from::meant(&journal, from_key);
                    let from = (origin, key.as_str(), retry_from::kept_below(&journal, &key));
                    durable.run("fork an execution", |pool| forks::fork(store, pool, from, version, new, edits)).await?
                }
                None => {
                    let repeated = durable.repeated(origin, &journal, &asked_again).await?;
                    let retry = Retry {
                        id: origin,
                        unless_continued,
                        repeated: repeated.as_deref(),
                        gives_back: !asked_again.is_empty(),
                    };
                    durable.run("retry an execution", |pool| forks::retry(store, pool, &retry, version, new, edits)).await?
                }
            };
            durable.engine.signals.queued(&forked.queue);
            Ok(forked.id)
        })
    }
}

/// The key of the question that is to be asked again.
fn question(journal: &[Entry], origin: ExecutionId, text: &str) -> Result<String> {
    ask_again::question(journal, text).map_err(|unclear| match unclear {
        Unclear::Unknown(problem) => Error::of_kind(ErrorKind::NotFound, format!("execution {origin} {problem}")),
        Unclear::Several(problem) => Error::of_kind(ErrorKind::Conflict, format!("execution {origin} {problem}")),
    })
}

impl Durable {
    async fn has_ended(&self, id: ExecutionId) -> Result<bool> {
        let execution = self.run("look at an execution", |pool| look::execution(self.store(), pool, id)).await?;
        Ok(execution.is_some_and(|execution| execution.state.is_finished()))
    }

    /// The keys of what a retry of this execution repeats; `None` if there is no journal to read them from.
    async fn repeated(&self, origin: ExecutionId, journal: &[Entry], asked_again: &[String]) -> Result<Option<Vec<String>>> {
        // Without a journal it is unknown, has not ended, or has done nothing: the function says which, before it asks for keys.
        if journal.is_empty() && (asked_again.is_empty() || !self.has_ended(origin).await?) {
            return Ok(None);
        }
        let questions = asked_again.iter().map(|text| question(journal, origin, text)).collect::<Result<Vec<_>>>()?;
        let calls = retry_from::calls_of_branches(journal);
        let mut decisions = Decisions::new();
        if !calls.is_empty() {
            decisions = self.run("read decisions", |pool| forks::decisions(self.store(), pool, origin, &calls)).await?;
        }
        let is_graph = self.run("look for nodes", |pool| forks::has_nodes(self.store(), pool, origin)).await?;
        let mut repeated =
            if is_graph { retry_from::repeated_of_graph(journal, &decisions) } else { retry_from::repeated(journal, &decisions) };
        repeated.extend(questions.iter().flat_map(|question| ask_again::repeated(journal, &decisions, question)));
        Ok(Some(repeated.into_iter().collect()))
    }

    /// Retries an execution that failed or was cancelled: a new execution, whose id is returned, continues it. Await the returned
    /// builder, after `.version(2)` if other code is to continue.
    ///
    /// Steps that completed and waits that are over are kept and do not run again. What failed is tried again with all its
    /// attempts, unless the workflow had gone on after the failure. Messages that no wait has taken move to the new execution,
    /// and so does the deduplication key; the key and the parent do not.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, failed: ExecutionId) -> Result<()> {
    /// let retry = durable.retry(failed).await?;
    /// println!("{retry} continues {failed}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Finished` if the execution has completed. `Conflict` if it has not ended, if another execution continues it already, if
    /// what it did was undone, or if another execution with its deduplication key has not ended. `NotFound` for an unknown
    /// execution.
    pub fn retry(&self, id: ExecutionId) -> Fork<'_> {
        Fork {
            durable: self,
            origin: id,
            from_key: None,
            version: None,
            edits: Edits::default(),
            asked_again: Vec::new(),
            unless_continued: false,
        }
    }

    /// Forks an execution that has ended: a new execution, whose id is returned, runs it again from one of its steps or waits.
    /// What was over when that step or wait began is kept; everything after it runs again. `from` is the name of a step, such as
    /// `charge`, or `charge#2` for its second call, or any journal key as [`get_execution`](Self::get_execution) shows it. What a
    /// completed execution did is never undone by a fork of it.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// // Charge again, but keep the reservation that came before.
    /// let fork = durable.fork(id, "charge").version(2).await?;
    /// # drop(fork); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution, and for an execution without such a step or wait; the error lists those it has.
    /// `Conflict` if the execution has not ended, if what it did was undone, or if another execution with its deduplication key
    /// has not ended.
    pub fn fork(&self, id: ExecutionId, from: impl Into<String>) -> Fork<'_> {
        Fork { from_key: Some(from.into()), ..self.retry(id) }
    }
}
