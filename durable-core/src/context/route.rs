//! What a step is that runs on the workers of another queue, and what travels there and back.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::result::{StepError, StepResult};
use super::step::StepSpec;
use crate::error::{Error, Result};
use crate::payload::{self, CalledWith, Digest, Payload};
use crate::plan::divergence;
use crate::running::BoxFuture;
use crate::running::hold::Verdict;
use crate::running::run::Run;

/// A step that runs in another queue than its workflow, as its attribute describes it.
pub struct Route<W: 'static> {
    /// The workflow of the executions that run it, such as `process_order::charge`; its version is that of the step's own.
    pub workflow: &'static str,
    /// The names which that workflow had when the step had others.
    pub was: &'static [&'static str],
    /// The step.
    pub step: &'static StepSpec,
    /// The queue whose workers run it.
    pub queue: &'static str,
    /// Runs it where it was sent to.
    pub run: for<'run> fn(&'run W, Arguments) -> BoxFuture<'run, Result<Returned>>,
}

/// The arguments of a call that is sent to another queue, each under the name of its parameter.
#[derive(Debug)]
pub struct Sent {
    /// `None` where they were sent before, and only their digest is asked for.
    values: Option<BTreeMap<&'static str, Box<RawValue>>>,
    digest: Digest,
    refused: Option<Error>,
}

/// The arguments as they arrived.
#[derive(Debug)]
pub struct Arguments {
    run: Arc<Run>,
    values: BTreeMap<String, Box<RawValue>>,
}

/// What a step returned that was sent to another queue, as it is recorded.
#[derive(Debug)]
pub struct Returned(Payload);

/// An argument of a step that runs in another queue: it travels there as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another queue",
    label = "is an argument, which must be written as JSON and read by another worker",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, pass what can be sent, or remove `queue = …` from the step"
)]
pub trait SentArgument: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> SentArgument for T {}

impl Sent {
    /// Only the digest of the arguments.
    pub(super) fn to_digest(digest: Digest) -> Self {
        Self { values: None, digest, refused: None }
    }

    /// The arguments themselves.
    pub(super) fn with_values() -> Self {
        Self { values: Some(BTreeMap::new()), digest: Digest::default(), refused: None }
    }

    pub(super) fn called_with(self) -> CalledWith {
        self.digest.called_with()
    }

    /// Adds an argument, which is read as a `T` where the step runs.
    pub fn add<T: SentArgument>(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) {
        self.digest.add_argument(value);
        let Some(values) = &mut self.values else { return };
        match payload::record_as::<T>(&format!("the argument `{name}`"), value).and_then(|(value, _)| value.to_raw()) {
            Ok(value) => drop(values.insert(name, value)),
            Err(error) => drop(self.refused.get_or_insert(error)),
        }
    }

    /// The input of the execution that runs the step: the arguments, and nothing else.
    pub(super) fn into_input(self, step: &str) -> Result<Box<RawValue>> {
        match self.refused {
            Some(refused) => Err(refused),
            None => payload::encode(input_of(step), &self.values)?.to_raw(),
        }
    }
}

fn input_of(step: &str) -> String {
    format!("what step `{step}` is called with")
}

impl Arguments {
    /// Takes an argument out; one that was not sent is read as `null`, so that an option may be added while calls are under way.
    /// One that does not fit stops the execution, until code comes that it fits.
    pub fn take<T: SentArgument>(&mut self, name: &str) -> Result<T> {
        let value = self.values.remove(name);
        let json = value.as_ref().map_or("null", |value| value.get());
        payload::decode(format_args!("the argument `{name}`"), json).inspect_err(|error| {
            self.run.give_up(Verdict::Diverged(divergence::other_argument(name, error)));
        })
    }
}

impl Returned {
    pub(super) fn into_output(self) -> Payload {
        self.0
    }
}

/// What a step returned, for the execution that called it.
pub fn returned<R: StepResult>(result: R) -> Result<Returned> {
    let value = result.into_result().map_err(|error| Error::advised(error.to_failure(), error.advice()))?;
    payload::encode_for_replay("the output of the step", &value).map(Returned)
}

/// The arguments of a call that was sent here.
pub(super) fn received(step: &str, run: &Arc<Run>, input: &Payload) -> Result<Arguments> {
    let values = payload::decode(input_of(step), input.as_str())?;
    Ok(Arguments { run: run.clone(), values })
}

impl<W> fmt::Debug for Route<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("workflow", &self.workflow).field("queue", &self.queue).finish_non_exhaustive()
    }
}
