//! Connects an engine to its database: checks the server and the schema before anything is written.

use durable_migrate::SchemaVersion;

use crate::error::{Error, ErrorKind, Result};
use crate::model::QueueLimits;
use crate::store::server::{self, Server};
use crate::store::{self, Patience, Store};

/// Checks the server and the schema, then writes these limits of queues if they differ.
pub(super) async fn prepare(store: &Store, patience: Patience, limits: &[(String, QueueLimits)]) -> Result<()> {
    check_server(store, patience).await?;
    check_schema(store, patience).await?;
    for (queue, limits) in limits {
        let set = || store::queues::set_limits(store, &store.pool, queue, limits);
        store::run("set the limits of a queue", patience, set).await?;
    }
    Ok(())
}

/// Refuses a pooler that would give one client's answers to another, and waits until a standby is promoted.
async fn check_server(store: &Store, patience: Patience) -> Result<()> {
    let found = server::reach(store, patience, || async move {
        match server::ask(store).await? {
            Server::Standby => Err(server::standby()),
            found => Ok(found),
        }
    });
    match found.await? {
        Server::Pooled => {
            Err(Error::of_kind(ErrorKind::Invalid, format!("cannot work here: {}; {}", server::POOLED, server::UNPOOL)))
        }
        Server::Primary | Server::Standby => Ok(()),
    }
}

/// Refuses a schema that is older than this library, or so new that it no longer serves this library.
async fn check_schema(store: &Store, patience: Patience) -> Result<()> {
    let found = store::run("read the schema's version", patience, || schema_version(store)).await?;
    let accepted = found.and_then(|found| durable_migrate::accept_version(found, &store.schema));
    accepted.map_err(|error| match error {
        durable_migrate::Error::Encoding { .. } => Error::of_kind(ErrorKind::Invalid, format!("cannot {error}")),
        error => Error::of_kind(ErrorKind::Schema, error.to_string()),
    })
}

/// The version, or an error that another try would not cure.
async fn schema_version(store: &Store) -> Result<Result<Option<SchemaVersion>, durable_migrate::Error>, sqlx::Error> {
    let mut connection = store.pool.acquire().await?;
    match durable_migrate::version(&mut connection, &store.schema).await {
        Err(error) if error.passes() => Err(sqlx::Error::Io(std::io::Error::other(error))),
        Err(error @ durable_migrate::Error::Encoding { .. }) => Ok(Err(error)),
        Err(error) => Err(sqlx::Error::Configuration(Box::new(error))),
        Ok(version) => Ok(Ok(version)),
    }
}
