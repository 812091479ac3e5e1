//! The only SQL: one function per statement, one file per statement, and the group commit that shares them.

pub(crate) mod attempts;
pub(crate) mod clock;
pub(crate) mod doctor;
pub(crate) mod duties;
pub(crate) mod executions;
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
pub(crate) mod prune;
pub(crate) mod publications;
pub(crate) mod queues;
mod read;
pub(crate) mod saves;
pub(crate) mod schedules;
pub(crate) mod server;
mod session;
pub(crate) mod starts;
mod statements;
pub(crate) mod transactions;
pub(crate) mod waits;
pub(crate) mod workers;

use std::time::Duration;

use durable_migrate::SchemaName;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::error::Result;
use crate::supervision::Health;

pub(crate) use lane::{Batch, Lane};
pub(crate) use outage::{Patience, Pauses, is_outage};
use server::History;
pub(crate) use session::Session;
pub(crate) use statements::{Statement, Statements};

/// How long a statement waits for a free connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// The database, and the statements as they read in this instance's schema.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) pool: PgPool,
    pub(crate) schema: SchemaName,
    pub(crate) options: PgConnectOptions,
    pub(crate) history: History,
    /// What goes wrong in this process without ending anything; shared by all clones.
    pub(crate) health: Health,
    statements: Statements,
}

impl Store {
    /// A store whose connections are opened when they are first needed.
    pub(crate) fn new(options: PgConnectOptions, schema: SchemaName, max_connections: u32) -> Self {
        // PgBouncer refuses a session that begins with this setting, which matters to servers before PostgreSQL 12 alone.
        let options = options.extra_float_digits(None);
        let (statements, history) = (Statements::in_schema(&schema), History::default());
        let pool = pool_options(max_connections, &statements, &history, Plans::Fixed).connect_lazy_with(options.clone());
        Self { pool, statements, schema, options, history, health: Health::default() }
    }

    /// Other connections to the same database, with its own settings: for what users send.
    pub(crate) fn pool_for_users(&self, max_connections: u32) -> PgPool {
        let options = pool_options(max_connections, &self.statements, &self.history, Plans::AsConfigured);
        options.connect_lazy_with(self.options.clone())
    }

    /// The statement, ready to be bound.
    pub(crate) fn query(&self, statement: Statement) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
        sqlx::query(self.statements.text(statement))
    }
}

/// How statements of a connection are planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plans {
    Fixed,
    AsConfigured,
}

fn pool_options(max_connections: u32, statements: &Statements, history: &History, plans: Plans) -> PgPoolOptions {
    let (statements, newest, known) = (statements.clone(), history.clone(), history.clone());
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A dead connection shows itself at its next statement, which is then repeated; a ping before each would cost a round trip.
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let (statements, history) = (statements.clone(), newest.clone());
            Box::pin(async move {
                history.admit(connection, &statements).await?;
                match plans {
                    Plans::Fixed => prepare_session(connection).await,
                    Plans::AsConfigured => Ok(()),
                }
            })
        })
        .before_acquire(move |_, connection| {
            let of_this_history = !known.has_changed_within(connection.age);
            Box::pin(async move { Ok(of_this_history) })
        })
}

/// Fixes the plans of this connection: a plan made while the tables are empty must still be right when they are full. Every
/// statement finds its rows by an array of ids or by the index it is written for, and joins what it found by hash. Functions that
/// lock and then count must see what was committed while they waited, whatever isolation the database has for its users.
async fn prepare_session(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    const SETTINGS: &str = "set default_transaction_isolation = 'read committed'; set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off; set enable_nestloop = off; set enable_sort = off; set jit = off";
    sqlx::raw_sql(SETTINGS).execute(connection).await.map(drop)
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
