//! The database's address in a form that may be shown: server, database and role, never the password.

use std::fmt;

use sqlx::postgres::PgConnectOptions;

use crate::error::{Error, ErrorKind, Result};

/// The options of a connection, which do not show the password.
#[derive(Clone)]
pub(crate) struct Address(PgConnectOptions);

impl Address {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Self(options)
    }

    /// Reads a database url.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let options = durable_migrate::connect_options(url);
        options.map(Self).map_err(|error| Error::of_kind(ErrorKind::Invalid, format!("cannot {error}")))
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.0
    }

    /// The error of a failed first connection.
    pub(crate) fn unreachable(&self, error: &sqlx::Error) -> Error {
        let kind = match error {
            error if durable_migrate::lacks_tls(error) => ErrorKind::Invalid,
            error if super::is_outage(error) => ErrorKind::Unavailable,
            _ => ErrorKind::Database,
        };
        Error::of_kind(kind, format!("cannot {}", durable_migrate::unreachable(&self.0, error)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&durable_migrate::describe_address(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}
