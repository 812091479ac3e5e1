//! Questions to people: forms, approvals, choices, texts and numbers; with a prompt, a deadline and reminders.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::Sleep;
use super::timed::{Awaited, TimedWait, awaits, shows_its_key};
use super::waiting::{Read, Schema, Waiting, read_payload};
use crate::error::Result;
use crate::model::{Due, RecordedWait, WaitKind, check_assignee};
use crate::payload::{self, CalledWith, Payload, schema_of};
use crate::plan::journal_key;
use crate::running::branch::Branch;
use crate::running::scope::Scope;

/// A wait for a person's answer; see [`Context::wait_for_input`](crate::context::Context::wait_for_input).
#[must_use = "a wait does nothing until it is awaited"]
pub struct InputWait<'a, T> {
    waiting: Box<Waiting<'a>>,
    read: Read<T>,
}

/// The answer to [`Context::wait_for_approval`](crate::context::Context::wait_for_approval).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Whether it was approved.
    pub approved: bool,
    /// Why, if the person said so.
    #[serde(default)]
    pub comment: Option<String>,
}

/// An answer, with the person who gave it and the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer<T> {
    /// What was answered.
    pub value: T,
    /// Who answered, if they said so.
    pub by: Option<String>,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
}

impl<'a, T: DeserializeOwned> InputWait<'a, T> {
    pub(in super::super) fn form(scope: &Arc<Scope>, name: &str) -> Self
    where
        T: JsonSchema,
    {
        Self::new(scope, name, "form", Schema::OfType(schema_of::<T>))
    }

    fn new(scope: &Arc<Scope>, name: &str, form: &'static str, schema: Schema) -> Self {
        let mut waiting = Box::new(Waiting::new(scope, WaitKind::Input, name));
        waiting.schema = Some(schema);
        waiting.details().form = Some(form);
        Self { waiting, read: read_payload::<T> }
    }
}

impl InputWait<'_, Approval> {
    pub(in super::super) fn approval(scope: &Arc<Scope>, name: &str) -> Self {
        Self::new(scope, name, "approval", Schema::OfType(schema_of::<Approval>))
    }
}

impl InputWait<'_, Payload> {
    /// The wait of a node of a graph for a `T`, which keeps the answer as it was given.
    pub(in super::super) fn of_node<T: DeserializeOwned + JsonSchema>(
        scope: &Arc<Scope>,
        name: &str,
        form: &'static str,
    ) -> Self {
        let input = InputWait::<T>::new(scope, name, form, Schema::OfType(schema_of::<T>));
        InputWait { waiting: input.waiting, read: read_as_given::<T> }
    }

    /// Says which values the question is about. An answer to it is of no use to a question about others.
    pub(in super::super) fn about(mut self, values: CalledWith) -> Self {
        self.waiting.details().digest = Some(values.digest.cast_signed());
        self
    }
}

/// Refuses an answer that is not a `T`.
fn read_as_given<T: DeserializeOwned>(what: &str, over: &RecordedWait) -> Result<Payload> {
    read_payload::<T>(what, over).map(|_| over.payload())
}

impl InputWait<'_, String> {
    pub(in super::super) fn text(scope: &Arc<Scope>, name: &str) -> Self {
        Self::new(scope, name, "text", Schema::Given(json!({"type": "string", "minLength": 1})))
    }

    pub(in super::super) fn choice(scope: &Arc<Scope>, name: &str, choices: &[String]) -> Self {
        let mut input = Self::new(scope, name, "choice", Schema::Given(json!({"type": "string", "enum": choices})));
        input.refuse_without(choices);
        input
    }
}

impl InputWait<'_, Vec<String>> {
    pub(in super::super) fn choices(scope: &Arc<Scope>, name: &str, choices: &[String]) -> Self {
        let schema = json!({"type": "array", "items": {"type": "string", "enum": choices}, "uniqueItems": true});
        let mut input = Self::new(scope, name, "choices", Schema::Given(schema));
        input.refuse_without(choices);
        input
    }
}

impl InputWait<'_, f64> {
    pub(in super::super) fn number(scope: &Arc<Scope>, name: &str) -> Self {
        Self::new(scope, name, "number", Schema::Given(json!({"type": "number"})))
    }

    /// Accepts only numbers in this range.
    pub fn between(mut self, range: RangeInclusive<f64>) -> Self {
        if range.is_empty() || !range.start().is_finite() || !range.end().is_finite() {
            self.waiting.refuse(format!("no number is between {} and {}", range.start(), range.end()));
        }
        self.waiting.schema = Some(Schema::Given(json!({"type": "number", "minimum": range.start(), "maximum": range.end()})));
        self
    }
}

impl<'a, T> InputWait<'a, T> {
    fn refuse_without(&mut self, choices: &[String]) {
        if choices.is_empty() {
            self.waiting.refuse(format!("input `{}` offers no choices: give at least one", self.waiting.name));
        }
    }

    /// The text to show to the person who is asked.
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.waiting.prompt = Some(prompt.into());
        self
    }

    /// The person or group who is to answer: a name, an address or a team, 1 to 500 bytes without control characters.
    /// [`pending_inputs`](crate::client::Durable::pending_inputs) can be filtered by it, and
    /// [`update_input`](crate::client::Durable::update_input) changes it. It does not restrict who answers.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(cx: &Context) -> Result<()> {
    /// let answer = cx.wait_for_approval("invoice").assignee("finance").timeout(days(7)).await?;
    /// # drop(answer); Ok(()) }
    /// ```
    pub fn assignee(mut self, assignee: impl Into<String>) -> Self {
        let assignee = assignee.into();
        if let Err(error) = check_assignee(&self.waiting.name, &assignee) {
            self.waiting.refuse_with(error.into_permanent());
        }
        self.waiting.details().assignee = Some(assignee);
        self
    }

    /// Further data of the question for the program that shows it: a link, an amount, the people who may answer.
    pub fn metadata<M: Serialize + ?Sized>(mut self, metadata: &M) -> Self {
        let encoded = payload::encode(format_args!("the metadata of input `{}`", self.waiting.name), metadata);
        match encoded.map(|payload| RawValue::from_string(payload.as_str().to_owned())) {
            Ok(metadata) => self.waiting.details().metadata = metadata.ok(),
            Err(error) => self.waiting.refuse_with(error),
        }
        self
    }

    /// Calls this function each time this long has passed without an answer, for example to call a step that writes to the
    /// person. A reminder that fails is logged, and the wait goes on.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Expenses;
    /// # #[workflow] impl Expenses {
    /// async fn run(&self, cx: &Context, amount: u64) -> Result<bool> {
    ///     let approval = cx
    ///         .wait_for_approval("manager")
    ///         .prompt(format!("Approve {amount} €?"))
    ///         .reminder(days(1), || self.remind(amount))
    ///         .timeout(days(7))
    ///         .or_fail()
    ///         .await?;
    ///     Ok(approval.approved)
    /// }
    ///
    /// #[step]
    /// async fn remind(&self, amount: u64) -> Result<()> {
    ///     Ok(println!("{amount} € are still to be approved"))
    /// }
    /// # }
    /// ```
    pub fn reminder<F, Fut, E>(mut self, every: Duration, mut remind: F) -> Self
    where
        F: FnMut() -> Fut + Send + 'a,
        Fut: Future<Output = Result<(), E>> + Send + 'a,
        E: std::fmt::Display + Send + 'a,
    {
        if every.is_zero() {
            self.waiting.refuse(format!("input `{}` reminds without a pause: give more than zero", self.waiting.name));
        }
        let scope = self.waiting.scope.branch(&journal_key::below(&self.waiting.key));
        let (around, name) = (scope.clone(), self.waiting.name.clone());
        let reminder = async move {
            loop {
                let pause = Sleep::new(&around, Due::After(every)).await;
                if let Err(error) = pause {
                    tracing::debug!(input = name, %error, "a reminder's pause was cut short");
                }
                if let Err(error) = remind().await {
                    tracing::warn!(input = name, %error, "a reminder failed");
                }
            }
        };
        self.waiting.reminder = Some(Branch::new(Some(scope), Box::pin(reminder)));
        self
    }

    /// Waits at most this long by the database's clock. The answer becomes an `Option`, unless `or(…)` or `or_fail()` follows.
    pub fn timeout(self, timeout: Duration) -> TimedWait<'a, T> {
        TimedWait::after(self.awaited(), timeout)
    }

    fn awaited(self) -> Awaited<'a, T> {
        Awaited::message(self.waiting, self.read)
    }
}

awaits! { ['a, T: Send + 'a] InputWait<'a, T>: 'a => T, |wait| wait.awaited().value() }

shows_its_key! { ['a, T] InputWait<'a, T> }

impl<'a, T: DeserializeOwned> InputWait<'a, T> {
    /// Returns the answer together with the person who gave it and the time.
    pub fn signed(self) -> InputWait<'a, Answer<T>> {
        InputWait { waiting: self.waiting, read: read_signed::<T> }
    }
}

fn read_signed<T: DeserializeOwned>(what: &str, over: &RecordedWait) -> Result<Answer<T>> {
    Ok(Answer {
        value: read_payload(what, over)?,
        by: over.answered_by.clone(),
        at: over.resolved_at.unwrap_or(DateTime::UNIX_EPOCH),
    })
}
