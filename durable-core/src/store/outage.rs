//! Distinguishes outages (which pass), refusals (which do not) and hold-ups (another transaction holds a lock); waits with
//! jittered pauses, and describes all three.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};

/// First pause after a failed statement; a restart of Postgres takes longer than this, a dropped connection does not.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Longest pause: a database that comes back is noticed within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// First pause after a statement met a lock of another transaction: about as long as a commit takes.
pub(crate) const FIRST_PAUSE_WHEN_HELD_UP: Duration = Duration::from_millis(5);

/// Longest pause while a statement is held up, and so the longest time after the other transaction's end until it continues.
pub(crate) const LONGEST_PAUSE_WHEN_HELD_UP: Duration = Duration::from_millis(250);

/// Statements that are held up wait for locks on at most this many connections of the process; each try ends with the lock timeout.
static HELD_UP: Semaphore = Semaphore::const_new(2);

/// How long to repeat a statement while the database is out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Until it works: for what must not be lost.
    Endless,
    /// At most this long: for a caller who waits.
    AtMost(Duration),
}

/// Repeats a statement through an outage, and while another transaction holds a lock that it needs.
pub(crate) async fn retry<T, F>(what: &str, patience: Patience, statement: impl Fn() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let began = Instant::now();
    let mut pauses = Pauses::new();
    let mut permit: Option<SemaphorePermit<'static>> = None;
    loop {
        let tried = statement().await;
        drop(permit.take());
        let error = match tried {
            Ok(value) => {
                pauses.report_recovery(what);
                return Ok(value);
            }
            Err(error) if !is_outage(&error) && !is_held_up(&error) => return Err(error),
            Err(error) => error,
        };
        let pause = pauses.next(what, &error);
        if let Patience::AtMost(limit) = patience
            && began.elapsed() + pause > limit
        {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
        // A statement that is tried without end is one of few, and waits for no other.
        if let (true, Patience::AtMost(limit)) = (is_held_up(&error), patience) {
            match tokio::time::timeout(limit.saturating_sub(began.elapsed()), HELD_UP.acquire()).await {
                // The semaphore is never closed.
                Ok(acquired) => permit = acquired.ok(),
                Err(_) => return Err(error),
            }
        }
    }
}

/// The growing, jittered pauses of one outage or hold-up; logs once that an outage began and once that it ended.
pub(crate) struct Pauses {
    outage: Option<backon::ExponentialBackoff>,
    hold_up: Option<backon::ExponentialBackoff>,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Self { outage: None, hold_up: None }
    }

    pub(crate) fn next(&mut self, what: &str, error: &sqlx::Error) -> Duration {
        if is_held_up(error) {
            let pauses = self.hold_up.get_or_insert_with(|| growing(FIRST_PAUSE_WHEN_HELD_UP, LONGEST_PAUSE_WHEN_HELD_UP));
            return pauses.next().unwrap_or(LONGEST_PAUSE_WHEN_HELD_UP);
        }
        let pauses = self.outage.get_or_insert_with(|| {
            tracing::warn!(error = %describe(error), "the database does not answer: cannot {what}; trying again until it does");
            growing(FIRST_PAUSE, LONGEST_PAUSE)
        });
        pauses.next().unwrap_or(LONGEST_PAUSE)
    }

    pub(crate) fn report_recovery(&mut self, what: &str) {
        self.hold_up = None;
        if self.outage.take().is_some() {
            tracing::info!("the database answers again: can {what}");
        }
    }
}

fn growing(first: Duration, longest: Duration) -> backon::ExponentialBackoff {
    ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest).with_jitter().without_max_times().build()
}

/// Whether the same statement may succeed later, unchanged.
pub(crate) fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        error if durable_migrate::lacks_tls(error) => false,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| is_outage_code(&code)),
        _ => false,
    }
}

/// Whether another transaction held a lock for longer than the statement may wait. Nothing was written, and the connection is sound.
pub(crate) fn is_held_up(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == "55P03")
}

/// Whether part of a batch may succeed although the batch failed, because the server ran out of room for it.
pub(super) fn may_be_too_large(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Protocol(_)) || code(error).is_some_and(|code| code == "53200")
}

fn code(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// SQLSTATEs that pass by themselves (PostgreSQL documentation, appendix A).
fn is_outage_code(code: &str) -> bool {
    // Connection trouble, shortage of resources, an operator's intervention (shut down, starting up, cancelled, idle session
    // ended), I/O trouble of the server, a snapshot that became too old.
    let class = ["08", "53", "57", "58", "72"].iter().any(|class| code.starts_with(class));
    class
        || matches!(
            code,
            "25P03" | "25P04" // idle_in_transaction_session_timeout, transaction_timeout
            | "40000" | "40001" | "40003" | "40P01" // rolled back: serialization failure, outcome unknown, deadlock
            | "25006" // read-only: an old primary after a failover
        )
}

/// How to find the transaction that holds a lock.
pub(crate) const FIND_HOLDER: &str =
    "look for it with `select pid, state, query from pg_stat_activity where xact_start is not null order by xact_start`";

/// The error as users see it.
pub(crate) fn user_error(what: &str, error: &sqlx::Error) -> Error {
    if is_outage(error) {
        return Error::of_kind(
            ErrorKind::Unavailable,
            format!("cannot {what}: the database does not answer: {}", describe(error)),
        );
    }
    if is_held_up(error) {
        let message =
            format!("cannot {what}: another transaction holds a lock that this needs: {}; {FIND_HOLDER}", describe(error));
        return Error::of_kind(ErrorKind::Unavailable, message);
    }
    let sqlx::Error::Database(database) = error else {
        return Error::of_kind(ErrorKind::Database, format!("cannot {what}: {}", describe(error))).into_permanent();
    };
    let kind = match database.code().as_deref() {
        Some("UD404") => ErrorKind::NotFound,
        Some("UD409") => ErrorKind::Conflict,
        Some("UD410") => ErrorKind::Finished,
        Some("UD411") => ErrorKind::Closed,
        Some("UD413" | "UD422") => ErrorKind::Payload,
        Some("42P01" | "42883" | "3F000" | "42703") => ErrorKind::Schema,
        _ => ErrorKind::Database,
    };
    Error::of_kind(kind, format!("cannot {what}: {}", describe(error))).into_permanent()
}

/// What the database said, with its hint.
pub(crate) fn describe(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => {
            let postgres = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
            // The context of a hold-up names the table or the index.
            let context = postgres.and_then(|error| error.r#where()).and_then(|context| context.lines().next());
            match (postgres.and_then(|error| error.hint()), context) {
                (Some(hint), _) => format!("{}; {hint}", database.message()),
                (None, Some(context)) if is_held_up(error) => format!("{} ({context})", database.message()),
                (None, _) => database.message().to_owned(),
            }
        }
        sqlx::Error::PoolTimedOut => "no connection became free or could be opened in time".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_of_the_server_and_what_its_operator_does_are_outages() {
        for code in ["25P03", "25P04", "57000", "57014", "57P01", "57P04", "57P05", "72000", "40003", "53200", "08006"] {
            assert!(is_outage_code(code), "{code}");
        }
    }

    #[test]
    fn a_statement_that_is_wrong_stays_wrong() {
        for code in ["23505", "22P02", "40002", "42P01", "3D000", "28P01", "54000", "XX000", "P0001", "25001"] {
            assert!(!is_outage_code(code), "{code}");
        }
    }
}
