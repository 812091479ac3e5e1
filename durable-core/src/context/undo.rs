//! Compensations: what undoes a step, given what the step recorded.

use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::door::Context;
use super::result::{StepError, StepOutput};
use super::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::{self, Payload};
use crate::plan::retry::Retry;

/// What a step recorded, for its compensation: its output, or nothing when it did not succeed.
#[derive(Debug, Clone)]
pub struct Recorded(Option<Payload>);

/// What a compensation returned, as it is recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Undone(Box<RawValue>);

/// A compensation as its attribute describes it.
#[derive(Debug, Clone, Copy)]
pub struct CompensationSpec {
    /// What people see it called.
    pub name: &'static str,
    /// How it is retried; `None` for not at all.
    pub retry: Option<Retry>,
    /// How long an attempt may take.
    pub timeout: Option<Duration>,
}

/// One step of a workflow and what undoes it.
pub struct Compensation<W: 'static> {
    /// The step's name in the journal.
    pub step: &'static str,
    /// What undoes it.
    pub spec: &'static CompensationSpec,
    /// Whether it is undone also when it failed or was cut off.
    pub undo_on_failure: bool,
    /// Runs one attempt.
    pub call: for<'run> fn(&'run W, &'run Context, Recorded) -> BoxFuture<'run, Result<Undone>>,
}

impl<W> Clone for Compensation<W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W> Copy for Compensation<W> {}

impl<W> fmt::Debug for Compensation<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compensation").field("step", &self.step).field("spec", self.spec).finish_non_exhaustive()
    }
}

impl Recorded {
    pub(crate) fn new(output: Option<Payload>) -> Self {
        Self(output)
    }
}

/// What a compensation returns: `Result<T, E>`, as a step does.
#[diagnostic::on_unimplemented(
    message = "a compensation must return `Result<T, E>`, not `{Self}`",
    label = "is no `Result`",
    note = "wrap the value: `-> durable::Result<{Self}>`"
)]
pub trait CompensationResult {
    /// As it is recorded.
    fn undone(self) -> Result<Undone>;
}

impl<T: StepOutput, E: StepError> CompensationResult for Result<T, E> {
    fn undone(self) -> Result<Undone> {
        let value = self.map_err(|error| Error::advised(error.to_failure(), error.advice()))?;
        let output = payload::encode_for_replay("the output of the compensation", &value)?;
        Ok(Undone(output.to_raw()?))
    }
}

/// What a compensation returned, as it is recorded.
pub fn undone<R: CompensationResult>(result: R) -> Result<Undone> {
    result.undone()
}

/// What a compensation may take of a step that succeeded, whose output is an `Output`.
#[diagnostic::on_unimplemented(
    message = "a compensation takes the output of its step, `{Output}`, not `{Self}`",
    label = "is not the output of the step",
    note = "take `{Output}` or `&{Output}`, or nothing"
)]
pub trait CompensationArgument<Output>: Sized {
    /// The output as it was recorded.
    fn read(recorded: &Recorded) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> CompensationArgument<T> for T {
    fn read(recorded: &Recorded) -> Result<Self> {
        let missing = || Error::of_kind(ErrorKind::Invalid, "the step has no output that its compensation could be given");
        decode(recorded)?.ok_or_else(missing)
    }
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> CompensationArgument<T> for Option<T> {
    fn read(recorded: &Recorded) -> Result<Self> {
        decode(recorded)
    }
}

/// What a compensation may take of a step that has to be undone also when it failed, and then left no output.
#[diagnostic::on_unimplemented(
    message = "the compensation of a step with `undo_on_failure` takes `Option<{Output}>`, not `{Self}`",
    label = "cannot say that the step has no output",
    note = "a step that failed has none: take `Option<{Output}>` or nothing, or remove `undo_on_failure`"
)]
pub trait OptionalCompensationArgument<Output>: Sized {
    /// The output as it was recorded, if the step succeeded.
    fn read_if_there(recorded: &Recorded) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> OptionalCompensationArgument<T> for Option<T> {
    fn read_if_there(recorded: &Recorded) -> Result<Self> {
        decode(recorded)
    }
}

fn decode<T: DeserializeOwned>(recorded: &Recorded) -> Result<Option<T>> {
    let decode = |output: &Payload| payload::decode("the recorded output of the step", output.as_str());
    recorded.0.as_ref().map(decode).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RetryAdvice;

    fn recorded(json: &str) -> Recorded {
        Recorded::new(Some(Payload(json.into())))
    }

    #[test]
    fn an_output_is_read_as_itself_or_as_an_option() {
        assert_eq!(<u32 as CompensationArgument<u32>>::read(&recorded("7")).unwrap(), 7);
        assert_eq!(<Option<u32> as CompensationArgument<u32>>::read(&recorded("7")).unwrap(), Some(7));
    }

    #[test]
    fn a_missing_output_is_none_where_the_compensation_can_take_that_and_an_error_elsewhere() {
        let nothing = Recorded::new(None);
        assert_eq!(<Option<u32> as OptionalCompensationArgument<u32>>::read_if_there(&nothing).unwrap(), None);
        assert_eq!(<u32 as CompensationArgument<u32>>::read(&nothing).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn an_output_that_is_null_is_not_a_missing_one() {
        let null = <Option<Option<u32>> as OptionalCompensationArgument<Option<u32>>>::read_if_there(&recorded("null"));
        assert_eq!(null.unwrap(), Some(None));
    }

    #[test]
    fn an_error_of_a_compensation_keeps_its_advice() {
        let error = undone::<Result<()>>(Err(Error::permanent("gone"))).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.retry_advice()), ("gone", RetryAdvice::Never));
    }
}
