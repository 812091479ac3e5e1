//! The database of an example: `DATABASE_URL`, or the private Postgres that is started where that is not set.

use durable::Result;
use durable::migrate::{SchemaName, migrate};

/// The url of a database that has the schema `durable`, up to date.
///
/// It lives on after the example: what a run that you interrupted left unfinished is finished by the next one.
pub(crate) async fn ready() -> Result<String> {
    // Starting a server blocks.
    let url = tokio::task::spawn_blocking(durable_postgres::database_url).await??;
    migrate(&url, &SchemaName::default()).await?;
    Ok(url)
}
