//! The only SQL: one function per statement, one file per statement, and the group commit that shares them.

mod address;
pub(crate) mod analytics;
pub(crate) mod archives;
pub(crate) mod attempts;
pub(crate) mod clock;
pub(crate) mod continuations;
pub(crate) mod doctor;
pub(crate) mod duties;
pub(crate) mod executions;
pub(crate) mod exports;
pub(crate) mod families;
pub(crate) mod forks;
pub(crate) mod journal;
mod lane;
pub(crate) mod look;
pub(crate) mod messages;
pub(crate) mod notify;
mod outage;
pub(crate) mod parents;
pub(crate) mod parks;
pub(crate) mod pauses;
pub(crate) mod prune;
pub(crate) mod publications;
pub(crate) mod queues;
mod read;
pub(crate) mod saves;
pub(crate) mod schedules;
pub(crate) mod server;
mod session;
mod settings;
pub(crate) mod starts;
mod statements;
pub(crate) mod step_logs;
pub(crate) mod tags;
pub(crate) mod transactions;
pub(crate) mod values;
pub(crate) mod waits;
pub(crate) mod watched;
pub(crate) mod watching;
pub(crate) mod workers;
pub(crate) mod workflow_graphs;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use durable_migrate::SchemaName;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;

use crate::error::Result;
use crate::supervision::Health;

pub(crate) use address::Address;
pub(crate) use lane::{Batch, Lane, MOST_BYTES};
pub(crate) use outage::{
    FIND_HOLDER, FIRST_PAUSE_WHEN_HELD_UP, LONGEST_PAUSE_WHEN_HELD_UP, Patience, Pauses, is_held_up, is_outage,
};
use server::History;
pub(crate) use session::Session;
use settings::Settings;
pub(crate) use statements::{Statement, Statements, statement};
use watched::Watched;

/// How long a statement waits for a free connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a statement of the engine waits for a lock: many times longer than the engine's own statements hold one, and too
/// short to wait for a transaction that a stranger leaves open.
const LOCK_TIMEOUT: &str = "50ms";

/// The lock timeout on a siding, where many items in a row may be held up.
const LOCK_TIMEOUT_ASIDE: &str = "5ms";

/// Connections for large and held-up writes.
const CONNECTIONS_ASIDE: u32 = 2;

/// Connections for lists and figures.
const CONNECTIONS_FOR_READERS: u32 = 3;

/// Most figures that are read at the same time. One connection is left for lists, which are short: figures about a million
/// executions do not delay a page.
const MOST_ANALYTICS: usize = 2;

/// The database, and the statements as they read in this instance's schema.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) pool: PgPool,
    aside: PgPool,
    /// Connections whose statements are planned for their parameters.
    pub(crate) readers: PgPool,
    /// Held while figures are read; shared by all clones.
    pub(crate) analytics: Arc<Semaphore>,
    pub(crate) schema: SchemaName,
    pub(crate) address: Address,
    pub(crate) history: History,
    /// Troubles of this process that end nothing; shared by all clones.
    pub(crate) health: Health,
    /// The executions that are watched; shared by all clones.
    pub(crate) watched: Watched,
    statements: Statements,
}

impl Store {
    /// A store whose connections are opened when they are first needed.
    pub(crate) fn new(address: &Address, schema: SchemaName, max_connections: u32) -> Self {
        // PgBouncer refuses a session that begins with this setting, which matters to servers before PostgreSQL 12 alone.
        let options = address.options().clone().extra_float_digits(None);
        let (statements, history) = (Statements::in_schema(&schema), History::default());
        let pool =
            |connections, settings| pool_options(connections, &statements, &history, settings).connect_lazy_with(options.clone());
        let aside = pool(CONNECTIONS_ASIDE, Settings::Engine { lock_timeout: LOCK_TIMEOUT_ASIDE });
        let readers = pool(CONNECTIONS_FOR_READERS, Settings::Readers { lock_timeout: LOCK_TIMEOUT });
        let pool = pool(max_connections, Settings::Engine { lock_timeout: LOCK_TIMEOUT });
        let address = Address::new(options);
        let (health, watched) = (Health::default(), Watched::default());
        let analytics = Arc::new(Semaphore::new(MOST_ANALYTICS));
        Self { pool, aside, readers, analytics, statements, schema, address, history, health, watched }
    }

    /// The same database, on separate connections for large and held-up writes.
    pub(crate) fn aside(&self) -> Self {
        Self { pool: self.aside.clone(), ..self.clone() }
    }

    /// Other connections to the same database, with its own settings: for what users send.
    pub(crate) fn pool_for_users(&self, max_connections: u32) -> PgPool {
        let options = pool_options(max_connections, &self.statements, &self.history, Settings::Users);
        options.connect_lazy_with(self.address.options().clone())
    }

    /// A connection outside the pool, which skips the checks of new connections and belongs to the caller.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = PgConnection::connect_with(self.address.options()).await?;
        settings::take(&mut connection, Settings::Engine { lock_timeout: LOCK_TIMEOUT }).await?;
        Ok(connection)
    }

    /// The statement, ready to be bound.
    pub(crate) fn query(&self, statement: Statement) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
        sqlx::query(self.statements.text(statement))
    }

    /// The statement, prepared anew each time: for a statement that selects columns to which a release of the schema may add while
    /// this process runs, or whose filters may be null. The latter belong on a connection of `readers`.
    pub(crate) fn query_once(
        &self,
        statement: Statement,
    ) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
        self.query(statement).persistent(false)
    }
}

fn pool_options(max_connections: u32, statements: &Statements, history: &History, settings: Settings) -> PgPoolOptions {
    let (statements, newest, known) = (statements.clone(), history.clone(), history.clone());
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A dead connection shows itself at its next statement, which is then repeated; a ping before each would cost a round
        // trip.
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let (statements, history) = (statements.clone(), newest.clone());
            Box::pin(async move {
                // Checked before any `set`, because a pooler would leak the settings to other clients.
                let look = server::look(connection, &statements).await?;
                settings::take(connection, settings).await?;
                history.admit(connection, &statements, look).await?;
                settings::give_back(connection, settings).await
            })
        })
        .before_acquire(move |_, connection| {
            let of_this_history = !known.has_changed_within(connection.age);
            Box::pin(async move { Ok(of_this_history) })
        })
}

/// A hash of a subject of a lane's items.
fn subject(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// The error as users see it: what was attempted, what the database said.
pub(crate) fn refused(what: &str, error: &sqlx::Error) -> crate::error::Error {
    outage::user_error(what, error)
}

/// Runs a statement, again while the database is out, as long as patience lasts.
pub(crate) async fn run<T, F>(what: &str, patience: Patience, statement: impl Fn() -> F) -> Result<T>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    outage::retry(what, patience, statement).await.map_err(|error| refused(what, &error))
}
