//! When a timer fires: what its method returns, and how that becomes a time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::result::{StepError, StepResult};
use super::node::Computed;
use crate::clock;
use crate::error::{Error, Result};
use crate::model::Timer;
use crate::payload;

/// Shortest period of a recurring timer: each tick is a commit or two.
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);

/// When a timer of a graph fires: what a method marked `#[timer]` returns.
///
/// ```
/// use durable::prelude::*;
///
/// struct Trial;
///
/// #[workflow]
/// impl Trial {
///     #[input]
///     fn email(&self) -> String;
///
///     #[timer]
///     async fn reminder(&self, email: &String) -> Result<Due> {
///         Ok(if email.ends_with("example.org") { Due::never() } else { Due::after(days(3)) })
///     }
///
///     #[step]
///     async fn remind(&self, email: &String, reminder: &chrono::DateTime<chrono::Utc>) -> Result<String> {
///         Ok(format!("reminded {email} at {reminder}"))
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Due(When);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum When {
    Never,
    At(DateTime<Utc>),
    After(Duration),
    Every(Duration),
}

impl Due {
    /// At this time, once. A time before the timer's step began is a permanent error of the node.
    pub fn at(time: DateTime<Utc>) -> Self {
        Self(When::At(time))
    }

    /// This long after the timer's step has ended, once.
    pub fn after(duration: Duration) -> Self {
        Self(When::After(duration))
    }

    /// Each time this long has passed, at least a second, counted from the end of the timer's step. Due times that pass while no
    /// worker runs, or while the execution is paused, count as one.
    pub fn every(period: Duration) -> Self {
        Self(When::Every(period))
    }

    /// Not at all: the timer is skipped, and so is what needs it.
    pub fn never() -> Self {
        Self(When::Never)
    }

    /// The timer that waits from now on; `None` if it never fires. `began` is when the step began, unless that was under an earlier
    /// claim.
    ///
    /// # Errors
    /// Permanent, for a time before the step began and for a period that is too short.
    pub(crate) fn timer(self, cause: u32, began: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<Option<Timer>> {
        let later = |duration| {
            let duration = chrono::TimeDelta::from_std(duration).ok();
            duration.and_then(|duration| now.checked_add_signed(duration)).unwrap_or(clock::LAST)
        };
        let (next, every) = match self.0 {
            When::Never => return Ok(None),
            When::At(time) => match began.filter(|began| time < *began) {
                Some(began) => {
                    let problem = format!(
                        "the timer is due at {time}, before its step began at {began}: return a later time, or `Due::never()`"
                    );
                    return Err(Error::permanent(problem));
                }
                None => (time, None),
            },
            When::After(duration) => (later(duration), None),
            When::Every(period) if period < SHORTEST_PERIOD => {
                return Err(Error::permanent(format!(
                    "the timer fires every {period:?}, and the shortest period is {SHORTEST_PERIOD:?}: return a longer one"
                )));
            }
            When::Every(period) => (later(period), Some(period)),
        };
        Ok(Some(Timer { cause, number: 1, next, every }))
    }
}

/// What the method of a timer returns.
#[diagnostic::on_unimplemented(
    message = "a timer must return `Result<Due>`, not `{Self}`",
    label = "says when the timer fires, as `Due::at(…)`, `Due::after(…)`, `Due::every(…)` or `Due::never()`",
    note = "mark the method `#[step]` if it computes a value"
)]
pub trait TimerResult: StepResult<Output = Due> {}

#[diagnostic::do_not_recommend]
impl<E: StepError> TimerResult for std::result::Result<Due, E> where Self: StepResult<Output = Due> {}

/// What a timer has returned.
///
/// # Errors
/// The failure of the timer.
pub fn due<R: TimerResult>(result: R) -> Result<Computed> {
    let due = result.into_result().map_err(|error| Error::advised(error.to_failure(), error.advice()))?;
    payload::encode("when the timer fires", &due).map(Computed::of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    const HOUR: Duration = Duration::from_secs(3600);

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(1)
    }

    #[test]
    fn a_due_time_becomes_a_timer() {
        let timer = |due: Due| due.timer(4, Some(now()), now()).unwrap();
        let once = |next| Some(Timer { cause: 4, number: 1, next, every: None });
        assert_eq!(timer(Due::never()), None);
        assert_eq!(timer(Due::at(now())), once(now()));
        assert_eq!(timer(Due::after(HOUR)), once(now() + HOUR));
        assert_eq!(timer(Due::after(Duration::MAX)), once(clock::LAST));
        assert_eq!(timer(Due::every(HOUR)).unwrap().every, Some(HOUR));
    }

    #[test]
    fn a_time_in_the_past_and_a_short_period_are_permanent_errors() {
        let past = Due::at(DateTime::UNIX_EPOCH).timer(4, Some(now()), now()).unwrap_err().to_string();
        assert!(past.contains("1970-01-01 00:00:00 UTC") && past.contains("1970-01-02 00:00:00 UTC"), "{past}");
        assert!(Due::at(DateTime::UNIX_EPOCH).timer(4, None, now()).is_ok(), "its step began under an earlier claim");
        assert!(Due::every(Duration::from_millis(999)).timer(4, Some(now()), now()).is_err());
    }

    #[test]
    fn a_due_time_reads_back_from_its_json() {
        for due in [Due::never(), Due::at(now()), Due::after(HOUR), Due::every(HOUR)] {
            let json = serde_json::to_string(&due).unwrap();
            assert_eq!(serde_json::from_str::<Due>(&json).unwrap(), due, "{json}");
        }
    }
}
