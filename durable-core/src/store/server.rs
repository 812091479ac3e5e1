//! Looks at who answers: the primary or a standby, by itself or through a pooler, and with the history that this process knows.
//!
//! After a failover the new primary may lack what the old one had committed last, and what this process has in memory may be
//! ahead of it: a step recorded after one that was lost would leave a gap in a journal. So no connection is used before
//! the database that it leads to has retired the workers that this process was under another history; from then on the fence refuses
//! all their writes. A worker is known by its row, which it writes before anything else, and a server that is promoted begins a
//! timeline of its own: a server with the timeline and the row has everything that this worker committed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection, Row, raw_sql};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::outage::{self, Patience};
use super::{ACQUIRE_TIMEOUT, Statements, Store, statement};
use crate::error::Result;
use crate::ids::WorkerId;

/// How often the probe asks over one connection, twice running, and then over the other. A pooler that lends the process that
/// came back last answers both with one; one that lends them in turn answers the first two questions with two; and one with
/// other clients, which lends any of two, goes unnoticed once in two thousand times, and then only until a second connection is
/// lent a session that the first has had.
const ROUNDS: usize = 3;

/// What is wrong with such a pooler.
pub(crate) const POOLED: &str = "a pooler stands before the server and hands its sessions from one client to another as they are, so \
    that prepared statements, settings and notifications of one reach the next";

/// What to do about it.
pub(crate) const UNPOOL: &str = "give the address of the server itself, or have the pooler lend by session and clear each session after \
    it (PgBouncer: `pool_mode = session`, and `server_reset_query` as it is by default)";

/// Who answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Primary,
    /// It only reads, and its tables may be behind those of its primary.
    Standby,
    /// Its sessions are handed from client to client, as they are.
    Pooled,
}

/// Makes the first contact, with retries during an outage. The error names the server and the role, and says what to do.
pub(crate) async fn reach<F>(store: &Store, patience: Patience, ask: impl Fn() -> F) -> Result<Server>
where
    F: Future<Output = Result<Server, sqlx::Error>>,
{
    let what = format!("connect to {}", store.address);
    outage::retry(&what, patience, ask)
        .await
        .map_err(|error| if is_ours(&error) { outage::user_error(&what, &error) } else { store.address.unreachable(&error) })
}

/// Asks who answers, over two connections of its own and by simple queries, which do not need a session.
pub(crate) async fn ask(store: &Store) -> Result<Server, sqlx::Error> {
    let answered = async {
        let connect = || PgConnection::connect_with(store.address.options());
        let (mut ours, mut other) = tokio::try_join!(connect(), connect()).map_err(mistaken)?;
        let answered = ask_over(store, &mut ours, &mut other).await;
        // They are dropped all the same.
        let _ = tokio::join!(ours.close(), other.close());
        answered
    };
    // A network that swallows everything would have us wait for ever.
    tokio::time::timeout(ACQUIRE_TIMEOUT, answered).await.map_err(|_| sqlx::Error::PoolTimedOut)?
}

async fn ask_over(store: &Store, ours: &mut PgConnection, other: &mut PgConnection) -> Result<Server, sqlx::Error> {
    let (our_process, other_process) = (process(store, ours).await?, process(store, other).await?);
    let mut pooled = our_process == other_process;
    for _ in 0..ROUNDS {
        for _ in 0..2 {
            pooled |= process(store, ours).await? != our_process;
        }
        for _ in 0..2 {
            pooled |= process(store, other).await? != other_process;
        }
    }
    if pooled {
        return Ok(Server::Pooled);
    }
    let look = Look::over(ours, &store.statements).await?;
    // The next client that gets this session must not take ours for another one.
    ours.execute(raw_sql("discard all")).await?;
    Ok(match look {
        Look { is_lent: true, .. } => Server::Pooled,
        Look { is_standby: true, .. } => Server::Standby,
        _ => Server::Primary,
    })
}

/// A TLS failure at the first contact is a mistake in the address or on the server, not an outage.
fn mistaken(error: sqlx::Error) -> sqlx::Error {
    match error {
        error @ sqlx::Error::Tls(_) if !durable_migrate::lacks_tls(&error) => sqlx::Error::Configuration(Box::new(error)),
        error => error,
    }
}

async fn process(store: &Store, connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    raw_sql(store.statements.text(statement!("servers/read_process"))).fetch_one(connection).await?.try_get("process_id")
}

/// What a server says that keeps its log in a storage of its own, without timelines: there nothing is lost that was committed.
const NOT_SUPPORTED: &str = "0A000";

/// What a new connection leads to.
#[derive(Default)]
pub(super) struct Look {
    is_lent: bool,
    is_standby: bool,
    timeline: Option<String>,
}

impl Look {
    async fn over(connection: &mut PgConnection, statements: &Statements) -> Result<Self, sqlx::Error> {
        let row = match raw_sql(statements.text(statement!("servers/look"))).fetch_one(connection).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_SUPPORTED) => return Ok(Self::default()),
            row => row?,
        };
        Ok(Self { is_lent: row.try_get("is_lent")?, is_standby: row.try_get("is_standby")?, timeline: row.try_get("timeline")? })
    }
}

/// Checks the server behind a new connection, and refuses a pooler and a standby.
pub(super) async fn look(connection: &mut PgConnection, statements: &Statements) -> Result<Look, sqlx::Error> {
    let look = Look::over(connection, statements).await?;
    if look.is_lent {
        return Err(refused(POOLED));
    }
    if look.is_standby {
        return Err(standby());
    }
    Ok(look)
}

/// The history of the database that this process knows, and the workers that it has been since this history began.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    known: Arc<Mutex<Known>>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Known {
    timeline: Option<String>,
    workers: Vec<WorkerId>,
    /// Since when there is another history than at first: connections that are older may lead to a server that was deposed.
    since: Option<Instant>,
}

impl History {
    /// Notes a worker whose row is about to be written.
    pub(crate) fn begins(&self, worker: WorkerId) {
        let mut known = self.known();
        if !known.workers.contains(&worker) {
            known.workers.push(worker);
        }
    }

    /// Notes that a worker writes nothing more.
    pub(crate) fn is_over(&self, worker: WorkerId) {
        self.known().workers.retain(|known| *known != worker);
    }

    /// Whether a connection that was opened so long ago may lead to another history.
    pub(crate) fn has_changed_within(&self, age: Duration) -> bool {
        self.known().since.is_some_and(|since| since.elapsed() <= age)
    }

    /// Returns when another history has taken the place of the one that was known.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Lets a new connection be used, once what this process remembers of another history counts no longer where it leads to.
    pub(super) async fn admit(
        &self,
        connection: &mut PgConnection,
        statements: &Statements,
        look: Look,
    ) -> Result<(), sqlx::Error> {
        let mut retired = Vec::new();
        loop {
            let others = self.workers_of_others(look.timeline.as_deref(), &retired);
            if others.is_empty() {
                return Ok(());
            }
            for worker in others {
                tracing::warn!(worker_id = %worker, "another server leads now, which may lack what was written last: this worker starts anew");
                let retire = sqlx::query(statements.text(statement!("workers/retire"))).bind(worker.0);
                retire.execute(&mut *connection).await?;
                retired.push(worker);
            }
        }
    }

    /// The workers of other histories that are not yet retired under this one; when none is left, it is the one that counts.
    fn workers_of_others(&self, timeline: Option<&str>, retired: &[WorkerId]) -> Vec<WorkerId> {
        let mut known = self.known();
        if known.timeline.as_deref() == timeline {
            return Vec::new();
        }
        if known.timeline.is_some() {
            let others: Vec<WorkerId> = known.workers.iter().filter(|worker| !retired.contains(worker)).copied().collect();
            if !others.is_empty() {
                return others;
            }
            known.since = Some(Instant::now());
            self.changed.notify_one();
        }
        known.timeline = timeline.map(str::to_owned);
        Vec::new()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A standby is an outage: it may be about to be promoted.
pub(crate) fn standby() -> sqlx::Error {
    refused("it is a standby, which only reads; give the address of the primary, or promote it")
}

/// Whether the error says what to do already.
fn is_ours(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.get_ref().is_some_and(|error| error.is::<Refused>()))
}

/// Why a server is refused: it is a pooler or a standby, not the primary.
#[derive(Debug)]
struct Refused(&'static str);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Refused {}

fn refused(why: &'static str) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other(Refused(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_retired_with_the_history_under_which_they_began_and_no_earlier() {
        let history = History::default();
        let (first, second) = (WorkerId::new(), WorkerId::new());
        assert_eq!(history.workers_of_others(Some("1"), &[]), []);
        history.begins(first);
        assert_eq!(history.workers_of_others(Some("1"), &[]), [], "another connection to the same server");
        assert_eq!(history.workers_of_others(Some("2"), &[]), [first]);
        history.begins(second);
        assert_eq!(history.workers_of_others(Some("2"), &[first]), [second], "it began while the first was retired");
        assert!(!history.has_changed_within(Duration::from_secs(60)));
        assert_eq!(history.workers_of_others(Some("2"), &[first, second]), []);
        assert!(history.has_changed_within(Duration::from_secs(60)));
        history.begins(first);
        assert_eq!(history.workers_of_others(Some("2"), &[]), []);
        let both = history.workers_of_others(Some("1"), &[]);
        assert_eq!(both, [first, second], "back to the server that was deposed; neither is known to be over");
    }

    #[test]
    fn a_worker_that_is_retired_is_not_retired_again() {
        let history = History::default();
        assert_eq!(history.workers_of_others(Some("1"), &[]), []);
        history.begins(WorkerId(uuid::Uuid::nil()));
        history.is_over(WorkerId(uuid::Uuid::nil()));
        assert_eq!(history.workers_of_others(Some("2"), &[]), []);
    }
}
