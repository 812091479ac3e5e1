//! The database of one test: a copy of the template, dropped when the test is over.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};

use crate::server::{Server, run};

/// Connections of the test itself; the engines have their own.
const CONNECTIONS: u32 = 2;

/// How often a test looks whether the sessions of its database have ended, before it leaves that to the server.
const MOST_LOOKS: u32 = 500;
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// The database of one test.
pub(crate) struct Database {
    server: &'static Server,
    name: String,
}

impl Database {
    /// Copies the template.
    pub(crate) async fn create(server: &'static Server) -> Result<Self, String> {
        let mut admin = server.admin().await?;
        let failed = |error: sqlx::Error| format!("failed to create a database for a test: {error}");
        let name: String = sqlx::query_scalar(include_str!("sql/new_name.sql")).fetch_one(&mut admin).await.map_err(failed)?;
        run(&mut admin, format!("create database {name} template {}", server.template())).await.map_err(failed)?;
        Ok(Self { server, name })
    }

    pub(crate) fn connect_options(&self) -> PgConnectOptions {
        self.server.connect_options(&self.name)
    }

    /// Connections of the test itself.
    pub(crate) fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(CONNECTIONS).connect_lazy_with(self.connect_options())
    }

    /// Ends all sessions in the database, and drops it.
    pub(crate) async fn drop(self) -> Result<(), String> {
        let mut admin = self.server.admin().await?;
        // The server looks for sessions ten times a second, which is longer than all the rest takes.
        for _ in 0..MOST_LOOKS {
            let sessions = sqlx::query_scalar(include_str!("sql/end_sessions.sql")).bind(&self.name);
            if sessions.fetch_one(&mut admin).await.is_ok_and(|sessions: i64| sessions == 0) {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        let dropped = run(&mut admin, format!("drop database if exists {} with (force)", self.name)).await;
        dropped.map_err(|error| format!("failed to drop the database `{}`: {error}", self.name))
    }
}
