//! Finds the address of the database, and connects a client.

use std::time::Duration;

use clap::Args;
use durable::migrate::SchemaName;
use durable::{Builder, Durable};

use crate::failure::Failure;

/// How long to try to reach the database; a person waits.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// The database, as postgres://user:password@host:port/database
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,

    /// The schema that holds everything
    #[arg(long, global = true, env = "DURABLE_SCHEMA", default_value_t, value_name = "NAME")]
    pub(crate) schema: SchemaName,
}

impl Connection {
    /// The address of the database.
    pub(crate) fn url(&self) -> Result<&str, Failure> {
        let url = self.database_url.as_deref().filter(|url| !url.trim().is_empty());
        let url = url.ok_or_else(|| Failure::usage("no database is given; pass --database-url or set DATABASE_URL"))?;
        durable::migrate::connect_options(url)?;
        Ok(url)
    }

    /// What clients of the database are made with.
    pub(crate) fn builder(&self) -> Result<Builder, Failure> {
        let builder = Durable::builder().database_url(self.url()?).schema(self.schema.to_string());
        Ok(builder.max_connections(2).operation_timeout(PATIENCE))
    }

    /// A client: the database answers, and its schema is the one this program knows.
    pub(crate) async fn client(&self) -> Result<Durable, Failure> {
        self.builder()?.start().await.map_err(Failure::of_connecting)
    }
}
