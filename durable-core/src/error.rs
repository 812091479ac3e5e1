//! The one public error: what failed, whether trying again helps, and how it is kept in the journal.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The result of a workflow, a step or a client call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Longest message kept, in bytes: an error must never be too large to be recorded.
const MESSAGE_LIMIT: usize = 64 * 1024;

/// What went wrong, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// A step or workflow returned an error.
    Failed,
    /// A step or workflow panicked.
    Panicked,
    /// A step or workflow took longer than its timeout.
    TimedOut,
    /// The execution was cancelled.
    Cancelled,
    /// The execution had not begun by the end of its time to live.
    Expired,
    /// An observer refused a step.
    Refused,
    /// The execution was rolled back by request.
    RolledBack,
    /// The workflow's code no longer asks for what its journal recorded.
    Diverged,
    /// The execution was claimed too often without coming to rest: it kills its workers.
    Poisoned,
    /// A value is too large, not representable, or not what its reader expects.
    Payload,
    /// There is no such execution.
    NotFound,
    /// The key, input or wait is taken already.
    Conflict,
    /// The execution has ended already.
    Finished,
    /// The execution takes no more events of this name: its workflow has closed them.
    Closed,
    /// The database does not answer.
    Unavailable,
    /// The database's schema is missing, older or newer than this library knows.
    Schema,
    /// An option or argument makes no sense.
    Invalid,
    /// The database refused a statement for another reason.
    Database,
}

impl ErrorKind {
    /// The word used in the journal, in telemetry and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::RolledBack => "rolled_back",
            Self::Diverged => "diverged",
            Self::Poisoned => "poisoned",
            Self::Payload => "payload",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Finished => "finished",
            Self::Closed => "closed",
            Self::Unavailable => "unavailable",
            Self::Schema => "schema",
            Self::Invalid => "invalid",
            Self::Database => "database",
        }
    }
}

/// Whether a step that failed with this error is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryAdvice {
    /// As the step's `retry(…)` says.
    #[default]
    AsConfigured,
    /// Not again, even if attempts are left.
    Never,
    /// Not before this much time has passed.
    After(Duration),
}

/// An error of a workflow, a step or a client call.
///
/// `?` turns any [`std::error::Error`] into one. It is not a `std::error::Error` itself (that is what makes `?` work for
/// all the others); `Box<dyn std::error::Error>` can be made from it with `?` or [`Into`].
///
/// ```
/// use durable::Error;
/// fn parse(text: &str) -> durable::Result<u32> {
///     if text.is_empty() {
///         return Err(Error::permanent("the amount is empty"));   // no retry will help
///     }
///     Ok(text.parse()?)
/// }
/// assert_eq!(parse("").unwrap_err().to_string(), "the amount is empty");
/// ```
pub struct Error {
    failure: Box<Failure>,
    advice: RetryAdvice,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// An error as it is kept in the journal and shown to people.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong, in one word.
    pub kind: ErrorKind,
    /// What went wrong, in a sentence.
    pub message: String,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The Rust type of the error, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// Source file and line, for a panic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The error as JSON text, if the step returns its own error type. Text keeps numbers of any size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// Whether retries are pointless; see [`Error::permanent`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub permanent: bool,
}

impl Error {
    /// An error with a message; a step that returns it is tried again as its `retry(…)` says.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of_kind(ErrorKind::Failed, message)
    }

    /// An error that no retry will cure: the step fails at once.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(message).into_permanent()
    }

    /// An error after which the next attempt, if one is left, starts no sooner than `delay`.
    pub fn retry_after(delay: Duration, message: impl Into<String>) -> Self {
        Self { advice: RetryAdvice::After(delay), ..Self::new(message) }
    }

    /// The same error, but not to be tried again.
    #[must_use]
    pub fn into_permanent(mut self) -> Self {
        self.failure.permanent = true;
        Self { advice: RetryAdvice::Never, ..self }
    }

    #[doc(hidden)]
    pub fn of_kind(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self::from_failure(Failure::new(kind, message))
    }

    #[doc(hidden)]
    pub fn from_failure(failure: Failure) -> Self {
        let advice = if failure.permanent { RetryAdvice::Never } else { RetryAdvice::AsConfigured };
        Self { failure: Box::new(failure), advice, source: None }
    }

    pub(crate) fn advised(failure: Failure, advice: RetryAdvice) -> Self {
        Self { advice, ..Self::from_failure(failure) }
    }

    /// What went wrong, in one word.
    pub fn kind(&self) -> ErrorKind {
        self.failure.kind
    }

    /// The error as it is kept in the journal.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Whether, and when, a step that returned this error is tried again. An error read back from the journal, like every step
    /// error in `run`, only says whether it is permanent.
    pub fn retry_advice(&self) -> RetryAdvice {
        self.advice
    }

    /// The error that this one was made from, until it is recorded. An error of a step has no source in `run`, neither at the
    /// first run nor at a replay. Its message, its causes and the name of its type are in [`failure`](Self::failure).
    pub fn source(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        self.source.as_deref()
    }

    /// The error of type `E` that this one was made from, if [`source`](Self::source) has it. To distinguish errors of a step
    /// in `run`, return your own error type from the step.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.source.as_deref()?.downcast_ref::<E>()
    }
}

impl Failure {
    /// How many bytes it takes, roughly.
    pub(crate) fn size(&self) -> usize {
        let value = self.value.as_ref().map_or(0, |value| value.get().len());
        value + self.message.len() + self.causes.iter().map(String::len).sum::<usize>()
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: storable(message.into()),
            causes: Vec::new(),
            error_type: None,
            place: None,
            value: None,
            permanent: false,
        }
    }

    pub(crate) fn from_std<E: StdError>(error: &E) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(storable(error.to_string()));
            cause = error.source();
            if causes.len() == 16 {
                break;
            }
        }
        Self {
            causes,
            error_type: Some(std::any::type_name::<E>().to_owned()),
            ..Self::new(ErrorKind::Failed, error.to_string())
        }
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        let Self { kind, message, causes, error_type, place, value, permanent } = self;
        (kind, message, causes, error_type, place, permanent)
            == (&other.kind, &other.message, &other.causes, &other.error_type, &other.place, &other.permanent)
            && value.as_deref().map(RawValue::get) == other.value.as_deref().map(RawValue::get)
    }
}

impl Eq for Failure {}

/// The text without what Postgres cannot hold, cut to a size that can always be recorded.
fn storable(mut text: String) -> String {
    if text.len() > MESSAGE_LIMIT {
        text.truncate(text.floor_char_boundary(MESSAGE_LIMIT));
        text.push('…');
    }
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self { failure: Box::new(Failure::from_std(&error)), advice: RetryAdvice::AsConfigured, source: Some(Box::new(error)) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, " (at {place})")?;
        }
        // Alternate form on one line, as logs want it: `{error:#}`.
        if f.alternate() {
            for cause in &self.causes {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        for cause in &self.failure.causes {
            write!(f, "\n  caused by: {cause}")?;
        }
        Ok(())
    }
}

/// An [`Error`] as a `std::error::Error`, for interfaces that want one.
#[derive(Debug)]
struct Standard(Error);

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Standard {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        Box::new(Standard(error))
    }
}

impl From<Error> for Box<dyn StdError> {
    fn from(error: Error) -> Self {
        Box::new(Standard(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_standard_error_becomes_one_and_keeps_its_causes() {
        let error = Error::from(std::io::Error::other("disk on fire"));
        assert_eq!(error.to_string(), "disk on fire");
        assert!(error.downcast_ref::<std::io::Error>().is_some());
        assert_eq!(error.retry_advice(), RetryAdvice::AsConfigured);
    }

    #[test]
    fn a_message_is_cut_and_cleaned_so_that_it_can_always_be_recorded() {
        let error = Error::new(format!("a\0{}", "ü".repeat(MESSAGE_LIMIT)));
        assert!(error.failure().message.len() <= MESSAGE_LIMIT + 8);
        assert!(!error.failure().message.contains('\0'));
    }

    #[test]
    fn the_word_of_a_kind_is_that_of_its_json() {
        for kind in [ErrorKind::Failed, ErrorKind::TimedOut, ErrorKind::RolledBack, ErrorKind::NotFound, ErrorKind::Database] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn a_failure_reads_back_as_it_was_written() {
        let value = RawValue::from_string(u128::MAX.to_string()).unwrap();
        let failure = Failure { value: Some(value), ..Error::permanent("no").failure().clone() };
        let text = serde_json::to_string(&failure).unwrap();
        let read: Failure = serde_json::from_str(&text).unwrap();
        assert_eq!(read, failure);
        assert_ne!(read, Failure { value: None, ..failure });
        assert_eq!(Error::from_failure(read).retry_advice(), RetryAdvice::Never);
    }
}
