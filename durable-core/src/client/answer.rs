//! Answers the questions that workflows ask people, and lists open questions.

use std::future::IntoFuture;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Durable;
use super::page::{InputCursor, Page};
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{Delivery, PendingInput};
use crate::payload;
use crate::plan::graph::changes::InputChanges;
use crate::plan::question::Question;
use crate::store::look::{self, InputFilter};
use crate::store::messages::{self, Effect, Message};

/// Most inputs returned by one call, and how many unless `.limit(…)` says otherwise.
const HIGHEST_LIMIT: u32 = 1000;

/// Longest name of a person who answers, in bytes; as in `provide_input.sql`.
const LONGEST_NAME: usize = 1000;

/// An answer; await it for its [`Delivery`]. See [`Durable::provide_input`].
#[derive(Debug)]
#[must_use = "an answer is not given until it is awaited"]
pub struct ProvideInput<'durable> {
    durable: &'durable Durable,
    message: Result<Message>,
    answered_by: Option<String>,
}

impl ProvideInput<'_> {
    /// The person who answers, for the record: a name, an address or an account, 1 to 1000 bytes.
    pub fn by(mut self, person: impl Into<String>) -> Self {
        self.answered_by = Some(person.into());
        self
    }
}

impl<'durable> IntoFuture for ProvideInput<'durable> {
    type Output = Result<Delivery>;
    type IntoFuture = BoxFuture<'durable, Result<Delivery>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, message, answered_by } = self;
            let mut message = message?;
            let person = answered_by.as_deref();
            if person.is_some_and(|person| person.is_empty() || person.len() > LONGEST_NAME || person.contains('\0')) {
                let problem = format!(
                    "who answers input `{}` is named with 1 to {LONGEST_NAME} bytes and no \\u0000; leave `.by(…)` out if \
                     the person is not known",
                    message.name
                );
                return Err(Error::of_kind(ErrorKind::Invalid, problem));
            }
            if let Some(graph) = durable.graph_of(message.execution_id).await? {
                if let Some(question) = graph.question(&message.name) {
                    question.clone_into(&mut message.name);
                    return answer(durable, &message, person).await;
                }
                if graph.may_ask(&message.name) {
                    return answer(durable, &message, person).await;
                }
                let set = [(message.name.clone(), message.payload.to_raw()?)].into();
                let changes = InputChanges { set, ..InputChanges::default() };
                return Ok(match durable.change(message.execution_id, &changes, person).await? {
                    Effect::Kept => Delivery::Accepted,
                    Effect::Woke(_) | Effect::Resolved(_) => Delivery::Delivered,
                });
            }
            answer(durable, &message, person).await
        })
    }
}

/// Answers a question, in the name of a person if one is known.
async fn answer(durable: &Durable, message: &Message, person: Option<&str>) -> Result<Delivery> {
    let store = durable.store();
    check(durable, message).await?;
    let sent = durable.run("provide an input", |pool| messages::provide_input(store, pool, message, person)).await?;
    durable.engine.signals.observers.answered(message.execution_id, &message.name, person);
    store.watched.note([message.execution_id]);
    durable.engine.signals.affected(&sent.effect);
    Ok(sent.delivery)
}

/// Refuses an answer that does not fit the open question. The worker judges it again, because the question may have changed by
/// then.
async fn check(durable: &Durable, message: &Message) -> Result<()> {
    let Message { execution_id, name, payload, .. } = message;
    let schema =
        durable.run("look for a question", |pool| messages::find_question(durable.store(), pool, *execution_id, name)).await?;
    let Some(schema) = schema else { return Ok(()) };
    let (asked, answer) = (name.clone(), payload.clone());
    // A long answer keeps a thread busy, so it is judged on a blocking thread and not on the application's.
    let judged = tokio::task::spawn_blocking(move || {
        // A question that cannot be read is left to the worker.
        let question = Question::new(&asked, &serde_json::from_str(&schema).ok()?).ok()?;
        question.mismatch(answer.as_str())
    });
    let Ok(Some(mismatch)) = judged.await else { return Ok(()) };
    let problem = format!("input `{name}` of execution {execution_id} does not fit: {mismatch}; the wait stands: answer again");
    Err(Error::of_kind(ErrorKind::Payload, problem))
}

/// A list of open questions; await it. See [`Durable::pending_inputs`].
#[derive(Debug)]
#[must_use = "a list does nothing until it is awaited"]
pub struct PendingInputs<'durable> {
    durable: &'durable Durable,
    filter: InputFilter,
    after: Option<InputCursor>,
    limit: u32,
}

impl PendingInputs<'_> {
    /// Only questions of the workflow with this name.
    pub fn workflow(mut self, name: impl Into<String>) -> Self {
        self.filter.workflow = Some(name.into());
        self
    }

    /// Only questions with a deadline before this time.
    pub fn due_before(mut self, time: DateTime<Utc>) -> Self {
        self.filter.due_before = Some(time);
        self
    }

    /// Only questions to this person or group.
    pub fn assignee(mut self, assignee: impl Into<String>) -> Self {
        self.filter.assignee = Some(assignee.into());
        self
    }

    /// Only questions of this execution.
    pub fn execution(mut self, id: ExecutionId) -> Self {
        self.filter.execution = Some(id);
        self
    }

    /// Only questions after this cursor, the `next` of the previous page.
    pub fn after(mut self, cursor: InputCursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// At most this many questions on a page, 1 to 1000; 1000 by default.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }
}

impl<'durable> IntoFuture for PendingInputs<'durable> {
    type Output = Result<Page<PendingInput, InputCursor>>;
    type IntoFuture = BoxFuture<'durable, Result<Page<PendingInput, InputCursor>>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            // One item more than the limit shows whether there is another page.
            self.filter.limit = super::list::checked_limit(self.limit, HIGHEST_LIMIT)? + 1;
            if let Some(InputCursor { due_at, execution_id, key }) = self.after {
                self.filter.after = Some((due_at, execution_id, key));
            }
            let (durable, filter) = (self.durable, &self.filter);
            let found = durable.read("list pending inputs", |pool| look::pending_inputs(durable.store(), pool, filter)).await?;
            Ok(Page::cut(found, self.limit, InputCursor::at))
        })
    }
}

impl Durable {
    /// Answers a question that an execution asks or will ask. If it asks several of this name, the oldest is answered. Await the
    /// returned builder, after `.by("ada@example.com")` to record who answered.
    ///
    /// The answer is checked against the schema of the open question. If the answer fits the schema but not the Rust type, the
    /// worker puts the question back, and [`PendingInput::refusal`] has the reason.
    ///
    /// An input of a graph is set, as by [`set_inputs`](Self::set_inputs). Then `Delivered` says that the graph applies the value now, and
    /// `Accepted` that it first applies changes that came earlier, or has not begun. Either way the value is not lost. A question of a
    /// graph is answered like one of a flow.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// for question in durable.pending_inputs().workflow("approve_expense").await?.iter() {
    ///     println!("{}: {}", question.name, question.prompt.as_deref().unwrap_or_default());
    ///     durable.provide_input(question.execution_id, &question.name, &true).by("ada@example.com").await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Payload` if the value does not fit the question's schema; the question stays open. `Conflict` if the question was
    /// answered already or its deadline has passed. `NotFound` and `Finished` as for [`send_event`](Self::send_event).
    pub fn provide_input<T: Serialize + ?Sized>(&self, id: ExecutionId, name: &str, value: &T) -> ProvideInput<'_> {
        let payload = payload::encode(format_args!("input `{name}`"), value);
        let message = payload.map(|payload| Message::new(id, name, payload));
        ProvideInput { durable: self, message, answered_by: None }
    }

    /// Questions that wait for an answer, the nearest deadline first, a page at a time. Await the returned builder after filters
    /// such as `.workflow("approve_expense")`.
    ///
    /// # Errors
    /// `Invalid` for a limit that is not between 1 and 1000.
    pub fn pending_inputs(&self) -> PendingInputs<'_> {
        PendingInputs { durable: self, filter: InputFilter::default(), after: None, limit: HIGHEST_LIMIT }
    }
}
