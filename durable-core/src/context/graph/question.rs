//! A node that asks a person: the wait for the answer, made of what the macro knows of the question.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::context::nodes::node::Computed;
use crate::context::nodes::taken::Taken;
use crate::context::wait::{Approval, InputWait};
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Digest;
use crate::running::ambient;

/// A question as its attribute describes it.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// The name under which it is answered.
    pub name: &'static str,
    /// What to show to the person who is asked.
    pub prompt: Option<&'static str>,
    /// The person or group who is to answer.
    pub assignee: Option<&'static str>,
    /// How long it waits for an answer.
    pub timeout: Option<Duration>,
    /// The names of the nodes that it takes, in the order of its parameters.
    pub takes: &'static [&'static str],
}

/// A type that the answer to a question may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the answer to a question",
    label = "must have a JSON Schema and be read from JSON",
    note = "derive `serde::Deserialize` and `schemars::JsonSchema` for it"
)]
pub trait AnswerValue: DeserializeOwned + JsonSchema + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + JsonSchema + Send + 'static> AnswerValue for T {}

/// Asks, and waits for the answer.
///
/// # Errors
/// `TimedOut` if no answer came in time, `Cancelled` if the wait was cancelled.
pub async fn ask<T: AnswerValue>(question: Question, taken: &Taken) -> Result<Computed> {
    let Question { name, prompt, assignee, timeout, takes } = question;
    let scope = ambient::scope().ok_or_else(|| Error::of_kind(ErrorKind::Invalid, "a question is asked outside an execution"))?;
    let form = if TypeId::of::<T>() == TypeId::of::<Approval>() { "approval" } else { "form" };
    let mut wait = InputWait::of_node::<T>(&scope, name, form);
    let about: BTreeMap<&str, Option<Box<RawValue>>> = takes.iter().copied().zip(taken.raw()?).collect();
    if !about.is_empty() {
        wait = wait.metadata(&about);
    }
    let mut digest = Digest::default();
    digest.add_argument(&about);
    wait = wait.about(digest.called_with());
    if let Some(prompt) = prompt {
        wait = wait.prompt(prompt);
    }
    if let Some(assignee) = assignee {
        wait = wait.assignee(assignee);
    }
    let answer = match timeout {
        Some(timeout) => wait.timeout(timeout).or_fail().await,
        None => wait.await,
    };
    answer.map(Computed::of)
}
