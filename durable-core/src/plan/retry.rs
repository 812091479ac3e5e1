//! When a failed attempt is followed by another, and when that one starts.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock;
use crate::error::RetryAdvice;

/// A back-off up to this long is waited for in memory; for a longer one the execution parks and frees its slot.
const LONGEST_WAIT_IN_MEMORY: Duration = Duration::from_secs(3);

/// How a step is retried: `retry(max_attempts = 5, backoff = exponential, base = "1s", max = "1m", jitter = 0.25)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// Attempts in all, the first included; at least 1.
    pub max_attempts: u32,
    /// How the delay grows.
    pub backoff: Backoff,
    /// The delay after the first attempt.
    pub base: Duration,
    /// No delay is longer than this.
    pub max: Duration,
    /// Share of the delay by which it varies up and down, 0 to 1; so that many that failed together do not come back together.
    pub jitter: f64,
}

/// How the delay between attempts grows; `n` is the number of the attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backoff {
    /// `base × 2ⁿ⁻¹`
    Exponential,
    /// `base × n`
    Linear,
    /// `base`
    Constant,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    /// No attempt is left: the step fails.
    GiveUp,
    /// Try again then; the execution keeps its slot.
    WaitInMemory { until: DateTime<Utc> },
    /// Try again then; until that time the execution is parked.
    Park { until: DateTime<Utc> },
}

/// How often a transactional step is repeated if an outage or a conflict rolled it back. Such repetitions are not attempts.
const MOST_REPETITIONS: u32 = 10;

/// First pause before such a repetition; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The pause before such a repetition, with up to half of it random; `None` when the repetitions are used up.
pub(crate) fn repetition(repeated: u32, roll: f64) -> Option<Duration> {
    (repeated < MOST_REPETITIONS).then(|| (FIRST_PAUSE * 2_u32.pow(repeated)).mul_f64(0.5 + roll / 2.0))
}

/// Decides what follows attempt number `attempt`. `roll` is a number from 0 to 1 that spreads the delay.
pub(crate) fn after_failure(
    retry: Option<Retry>,
    attempt: u32,
    advice: RetryAdvice,
    now: DateTime<Utc>,
    roll: f64,
) -> AfterFailure {
    let Some(retry) = retry else { return AfterFailure::GiveUp };
    if attempt >= retry.max_attempts || advice == RetryAdvice::Never {
        return AfterFailure::GiveUp;
    }
    let delay = match advice {
        // What the handler asks for is a floor: jitter must not bring the attempt forward.
        RetryAdvice::After(delay) => delay,
        _ => delay(&retry, attempt, roll),
    };
    wait(now, delay)
}

/// Decides how to sit out the rest of a back-off that was found recorded.
pub(crate) fn rest_of_backoff(retry_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<AfterFailure> {
    let left = (retry_at - now).to_std().ok().filter(|left| !left.is_zero())?;
    Some(if left <= LONGEST_WAIT_IN_MEMORY {
        AfterFailure::WaitInMemory { until: retry_at }
    } else {
        AfterFailure::Park { until: retry_at }
    })
}

fn wait(now: DateTime<Utc>, delay: Duration) -> AfterFailure {
    let until = clock::after(now, delay);
    if delay <= LONGEST_WAIT_IN_MEMORY { AfterFailure::WaitInMemory { until } } else { AfterFailure::Park { until } }
}

fn delay(retry: &Retry, attempt: u32, roll: f64) -> Duration {
    let factor = match retry.backoff {
        Backoff::Exponential => 2f64.powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX)),
        Backoff::Linear => f64::from(attempt),
        Backoff::Constant => 1.0,
    };
    let spread = 1.0 + retry.jitter.clamp(0.0, 1.0) * (2.0 * roll - 1.0);
    let max = retry.max.as_secs_f64();
    let seconds = (retry.base.as_secs_f64() * factor).min(max) * spread;
    Duration::try_from_secs_f64(seconds.min(max)).unwrap_or(retry.max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETRY: Retry = Retry {
        max_attempts: 10,
        backoff: Backoff::Exponential,
        base: Duration::from_secs(1),
        max: Duration::from_secs(60),
        jitter: 0.0,
    };

    fn delays(backoff: Backoff) -> Vec<u64> {
        (1..=8).map(|attempt| delay(&Retry { backoff, ..RETRY }, attempt, 0.5).as_secs()).collect()
    }

    #[test]
    fn delays_follow_their_formula_up_to_the_cap() {
        assert_eq!(delays(Backoff::Exponential), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(delays(Backoff::Linear), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(delays(Backoff::Constant), [1; 8]);
    }

    #[test]
    fn the_last_attempt_and_a_permanent_error_end_the_step() {
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(after_failure(Some(RETRY), 10, RetryAdvice::AsConfigured, now, 0.5), AfterFailure::GiveUp);
        assert_eq!(after_failure(Some(RETRY), 1, RetryAdvice::Never, now, 0.5), AfterFailure::GiveUp);
        assert_eq!(after_failure(None, 1, RetryAdvice::AsConfigured, now, 0.5), AfterFailure::GiveUp);
    }

    #[test]
    fn a_long_backoff_parks_and_a_short_one_does_not() {
        let now = DateTime::UNIX_EPOCH;
        let short = after_failure(Some(RETRY), 1, RetryAdvice::AsConfigured, now, 0.5);
        assert_eq!(short, AfterFailure::WaitInMemory { until: clock::after(now, Duration::from_secs(1)) });
        let asked = after_failure(Some(RETRY), 1, RetryAdvice::After(Duration::from_secs(5)), now, 0.0);
        assert_eq!(asked, AfterFailure::Park { until: clock::after(now, Duration::from_secs(5)) });
    }

    proptest! {
        #[test]
        fn no_delay_leaves_its_jitter_or_passes_the_cap(
            attempt in 1u32..2000, base in 0u64..100_000, max in 0u64..10_000_000, jitter in 0f64..=1.0, roll in 0f64..=1.0,
        ) {
            let retry = Retry {
                base: Duration::from_millis(base), max: Duration::from_millis(max), jitter, ..RETRY
            };
            let exact = delay(&Retry { jitter: 0.0, ..retry }, attempt, 0.5).as_secs_f64();
            let actual = delay(&retry, attempt, roll).as_secs_f64();
            prop_assert!(actual <= retry.max.as_secs_f64());
            prop_assert!(actual >= exact * (1.0 - jitter) - 1e-6);
            prop_assert!(actual <= exact * (1.0 + jitter) + 1e-6);
        }
    }
}
