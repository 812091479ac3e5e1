//! A connection that a busy task keeps between statements, where the pool is large enough to spare it.

use sqlx::Postgres;
use sqlx::pool::PoolConnection;
use tokio::time::Instant;

use super::Store;

/// Connections of the pool that long-lived tasks leave free for short statements.
const SPARE_CONNECTIONS: u32 = 3;

/// One task's way to the database.
#[derive(Debug)]
pub(crate) struct Session {
    store: Store,
    /// Whether the connection is kept: giving one back costs the pool a round trip.
    keeps: bool,
    kept: Option<PoolConnection<Postgres>>,
    /// When the connection in use, or the one that is kept, was asked for: what has changed since may not have reached it.
    since: Instant,
}

impl Session {
    /// The `nth` long-lived session of this process; the first ones may keep their connection.
    pub(crate) fn new(store: Store, nth: u32) -> Self {
        let keeps = nth + SPARE_CONNECTIONS < store.pool.options().get_max_connections();
        Self { store, keeps, kept: None, since: Instant::now() }
    }

    /// A session that gives its connection back after every statement: for what is rare.
    pub(crate) fn passing(store: Store) -> Self {
        Self { store, keeps: false, kept: None, since: Instant::now() }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Whether the session keeps its connection between statements.
    pub(crate) fn keeps(&self) -> bool {
        self.keeps
    }

    /// The session's connection, to be given back with the result of its statement.
    pub(crate) async fn connection(&mut self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        if let Some(mut kept) = self.kept.take() {
            if !self.store.history.has_changed_within(self.since.elapsed()) {
                return Ok(kept);
            }
            // It may lead to a server that was deposed.
            kept.close_on_drop();
        }
        self.since = Instant::now();
        self.store.pool.acquire().await
    }

    /// Takes the connection back; one on which a statement failed for an outage is closed, never reused.
    pub(crate) fn give_back<T>(
        &mut self,
        mut connection: PoolConnection<Postgres>,
        result: Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        match &result {
            Ok(_) if self.keeps => self.kept = Some(connection),
            Err(error) if super::is_outage(error) => connection.close_on_drop(),
            _ => {}
        }
        result
    }
}
