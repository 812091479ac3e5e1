//! Tells an outage, which passes, from a refusal, which does not; waits outages out with jitter; says both in words.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};

/// First pause after a failed statement; a restart of Postgres takes longer than this, a dropped connection does not.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// Longest pause: a database that comes back is noticed within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long to repeat a statement while the database is out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// Until it works: for what must not be lost.
    Endless,
    /// At most this long: for a caller who waits.
    AtMost(Duration),
}

/// Repeats a statement through an outage.
pub(crate) async fn retry<T, F>(what: &str, patience: Patience, statement: impl Fn() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let began = Instant::now();
    let mut pauses = Pauses::new();
    loop {
        let error = match statement().await {
            Ok(value) => {
                pauses.report_recovery(what);
                return Ok(value);
            }
            Err(error) if !is_outage(&error) => return Err(error),
            Err(error) => error,
        };
        let pause = pauses.next(what, &error);
        if let Patience::AtMost(limit) = patience
            && began.elapsed() + pause > limit
        {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
    }
}

/// The growing, jittered pauses of one outage; says once that it began and once that it ended.
pub(crate) struct Pauses {
    pauses: Option<backon::ExponentialBackoff>,
}

impl Pauses {
    pub(crate) fn new() -> Self {
        Self { pauses: None }
    }

    pub(crate) fn next(&mut self, what: &str, error: &sqlx::Error) -> Duration {
        let pauses = self.pauses.get_or_insert_with(|| {
            tracing::warn!(error = %describe(error), "the database does not answer: cannot {what}; trying again until it does");
            ExponentialBuilder::new()
                .with_min_delay(FIRST_PAUSE)
                .with_max_delay(LONGEST_PAUSE)
                .with_jitter()
                .without_max_times()
                .build()
        });
        pauses.next().unwrap_or(LONGEST_PAUSE)
    }

    pub(crate) fn report_recovery(&mut self, what: &str) {
        if self.pauses.take().is_some() {
            tracing::info!("the database answers again: can {what}");
        }
    }
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

/// SQLSTATEs that pass by themselves (PostgreSQL documentation, appendix A).
fn is_outage_code(code: &str) -> bool {
    // Connection trouble, shortage of resources, an operator's intervention (shut down, starting up, cancelled, idle session
    // ended), I/O trouble of the server, a snapshot that became too old.
    let class = ["08", "53", "57", "58", "72"].iter().any(|class| code.starts_with(class));
    class
        || matches!(
            code,
            "55P03" | "25P03" | "25P04" // lock_timeout, idle_in_transaction_session_timeout, transaction_timeout
            | "40000" | "40001" | "40003" | "40P01" // rolled back: serialization failure, outcome unknown, deadlock
            | "25006" // read-only: an old primary after a failover
        )
}

/// The error as users see it.
pub(crate) fn user_error(what: &str, error: &sqlx::Error) -> Error {
    if is_outage(error) {
        return Error::of_kind(
            ErrorKind::Unavailable,
            format!("cannot {what}: the database does not answer: {}", describe(error)),
        );
    }
    let sqlx::Error::Database(database) = error else {
        return Error::of_kind(ErrorKind::Database, format!("cannot {what}: {}", describe(error))).into_permanent();
    };
    let kind = match database.code().as_deref() {
        Some("UD404") => ErrorKind::NotFound,
        Some("UD409") => ErrorKind::Conflict,
        Some("UD410") => ErrorKind::Finished,
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
            match postgres.and_then(|error| error.hint()) {
                Some(hint) => format!("{}; {hint}", database.message()),
                None => database.message().to_owned(),
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
        for code in ["25P03", "25P04", "55P03", "57000", "57014", "57P01", "57P04", "57P05", "72000", "40003", "53200", "08006"] {
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
