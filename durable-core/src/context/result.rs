//! What steps and workflows may return, and how the errors of steps are recorded and read back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Failure, Result, RetryAdvice};
use crate::payload;
use crate::store::transactions;

/// A value that a step returns: it is recorded as JSON, and `run` is given what that decodes to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be checkpointed",
    label = "is an output, which must be recorded and read back",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or return what can be recorded"
)]
pub trait StepOutput: Serialize + DeserializeOwned + Send {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> StepOutput for T {}

/// An error that a step returns: [`Error`], or a type of the user's that keeps its type after a replay.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the error of a step",
    label = "cannot be recorded and read back",
    note = "return `durable::Error` (`?` makes it of any error), or a `std::error::Error` with `serde::Serialize`, \
            `serde::Deserialize` and `From<durable::Error>` (for timeouts and panics)"
)]
pub trait StepError: Sized + Send {
    /// The error as it is recorded.
    fn to_failure(&self) -> Failure;

    /// Whether the step is tried again.
    fn advice(&self) -> RetryAdvice;

    /// The error for a failure that the step did not return itself, such as a timeout.
    fn from_failure(failure: Failure) -> Self;

    /// The error that was recorded.
    ///
    /// # Errors
    /// `Payload` when the step returned an error of another type then.
    fn from_record(failure: Failure) -> Result<Self> {
        Ok(Self::from_failure(failure))
    }

    /// Whether the error or one of its causes is a conflict with another transaction.
    fn is_conflict(&self) -> bool;
}

impl StepError for Error {
    fn to_failure(&self) -> Failure {
        self.failure().clone()
    }

    fn advice(&self) -> RetryAdvice {
        self.retry_advice()
    }

    fn from_failure(failure: Failure) -> Self {
        Self::from_failure(failure)
    }

    fn is_conflict(&self) -> bool {
        self.source().is_some_and(|error| caused_by_conflict(error))
    }
}

fn caused_by_conflict(error: &(dyn std::error::Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.filter_map(|cause| cause.downcast_ref()).any(transactions::is_conflict)
}

#[diagnostic::do_not_recommend]
impl<E> StepError for E
where
    E: std::error::Error + Serialize + DeserializeOwned + From<Error> + Send + Sync + 'static,
{
    fn to_failure(&self) -> Failure {
        let mut failure = Failure::from_std(self);
        match payload::encode_for_replay("the error", self).and_then(|value| value.to_raw()) {
            Ok(value) => failure.value = Some(value),
            // The failure is recorded all the same, with the reason for which its value is missing.
            Err(refusal) => failure.causes.push(refusal.to_string()),
        }
        failure
    }

    fn advice(&self) -> RetryAdvice {
        RetryAdvice::AsConfigured
    }

    fn from_failure(failure: Failure) -> Self {
        Self::from(Error::from_failure(failure))
    }

    fn from_record(failure: Failure) -> Result<Self> {
        match &failure.value {
            Some(value) => payload::decode("the recorded error", value.get()),
            None => Ok(Self::from_failure(failure)),
        }
    }

    fn is_conflict(&self) -> bool {
        caused_by_conflict(self)
    }
}

/// What a step returns: `Result<T, E>`.
#[diagnostic::on_unimplemented(
    message = "a step must return `Result<T, E>`, not `{Self}`",
    label = "is no `Result`",
    note = "wrap the value: `-> durable::Result<{Self}>`"
)]
pub trait StepResult: Sized + Send {
    /// The value of a step that succeeded.
    type Output: StepOutput;
    /// The error, if it failed.
    type Error: StepError;

    /// As a plain `Result`.
    fn into_result(self) -> Result<Self::Output, Self::Error>;

    /// From a plain `Result`.
    fn from_result(result: Result<Self::Output, Self::Error>) -> Self;
}

impl<T: StepOutput, E: StepError> StepResult for Result<T, E> {
    type Output = T;
    type Error = E;

    fn into_result(self) -> Result<T, E> {
        self
    }

    fn from_result(result: Result<T, E>) -> Self {
        result
    }
}

/// What `run` returns: `Result<T, E>` with an error that becomes a [`durable::Error`](Error).
#[diagnostic::on_unimplemented(
    message = "`run` must return `Result<T, E>`, not `{Self}`",
    label = "is no `Result`",
    note = "wrap the value: `-> durable::Result<{Self}>`"
)]
pub trait RunResult {
    /// The output of the workflow.
    type Output;

    /// With the error that the engine records.
    fn into_result(self) -> Result<Self::Output>;
}

impl<T, E: Into<Error>> RunResult for Result<T, E> {
    type Output = T;

    fn into_result(self) -> Result<T> {
        self.map_err(Into::into)
    }
}
