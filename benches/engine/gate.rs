//! Holds workers back while work is queued for them, so that a measurement begins with a full queue and a warm worker.

use std::time::Duration;

use durable::Result;
use durable::sqlx::{Connection, Executor, PgConnection, query_scalar};

use crate::meter;

/// How often to look whether the last of many has arrived: small beside a run, and seldom beside the looks themselves.
const LOOK: Duration = Duration::from_millis(2);

/// A lock on every worker's row, under which no claim passes.
pub(crate) struct Gate {
    connection: PgConnection,
}

impl Gate {
    pub(crate) async fn close(url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute("begin").await?;
        connection.execute("select from durable.workers for update").await?;
        Ok(Self { connection })
    }

    pub(crate) async fn open(mut self) -> Result<()> {
        self.connection.execute("commit").await?;
        Ok(self.connection.close().await?)
    }
}

/// Looks at the states of executions, uncounted.
pub(crate) struct Watch {
    connection: PgConnection,
}

impl Watch {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        Ok(Self { connection: meter::uncounted(url).await? })
    }

    /// Returns when so many executions are in that state.
    pub(crate) async fn all_are(&mut self, state: &str, executions: usize) -> Result<()> {
        let count = "select count(*) from durable.executions where state = $1";
        loop {
            let found: i64 = query_scalar(count).bind(state).fetch_one(&mut self.connection).await?;
            if found.cast_unsigned() >= executions as u64 {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
