//! Which database to work on, how to get a connection of our own to it, and what its refusals mean.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgPool};
use sqlx::{ConnectOptions, Connection};

use crate::Error;

/// Long enough for a server on another continent, short enough to notice a firewall that swallows packets.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// The database to work on: a url, connect options, or the options of a pool.
///
/// Each call opens one connection of its own and closes it at the end. Where a pooler stands before the server, the
/// address of the server itself is the better one.
#[derive(Clone)]
pub struct Database {
    options: Result<PgConnectOptions, String>,
}

impl Database {
    /// Opens a connection, which belongs to the caller alone: dropped half-way, it takes its transaction with it.
    pub(crate) async fn connect(self) -> Result<(PgConnection, Place), Error> {
        let options =
            self.options.map_err(|problem| Error::InvalidUrl { problem })?.disable_statement_logging().extra_float_digits(None);
        let place = Place::of(&options);
        match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => Ok((connection, place)),
            Ok(Err(error)) => Err(place.unreachable(&error)),
            Err(_) => Err(Error::Connect {
                problem: format!("no answer within {} seconds", CONNECT_TIMEOUT.as_secs()),
                remedy: START_IT.to_owned(),
                database: place.to_string(),
            }),
        }
    }
}

impl From<&str> for Database {
    fn from(url: &str) -> Self {
        Self { options: parse(url) }
    }
}

impl From<&String> for Database {
    fn from(url: &String) -> Self {
        Self { options: parse(url) }
    }
}

impl From<PgConnectOptions> for Database {
    fn from(options: PgConnectOptions) -> Self {
        Self { options: Ok(options) }
    }
}

impl From<&PgPool> for Database {
    fn from(pool: &PgPool) -> Self {
        Self { options: Ok((*pool.connect_options()).clone()) }
    }
}

// By hand: the derived one would print the password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.options {
            Ok(options) => write!(f, "Database({})", Place::of(options)),
            Err(problem) => write!(f, "Database({problem})"),
        }
    }
}

/// Reads a database url, as `postgres://user:password@host:port/database`.
///
/// # Errors
/// When it is not such a url. The message names a wrong scheme, and never shows the url, which may hold a password.
pub fn connect_options(url: &str) -> Result<PgConnectOptions, Error> {
    parse(url).map_err(|problem| Error::InvalidUrl { problem })
}

/// Says what a connection with these options leads to: server, database and role, without the password.
#[must_use]
pub fn describe_address(options: &PgConnectOptions) -> String {
    Place::of(options).to_string()
}

/// Says why a connection with these options failed: its target, the error, and what to do next.
#[must_use]
pub fn unreachable(options: &PgConnectOptions, error: &sqlx::Error) -> Error {
    Place::of(options).unreachable(error)
}

/// Whether the address asks for TLS, and this program was built without it.
#[must_use]
pub fn lacks_tls(error: &sqlx::Error) -> bool {
    // sqlx has no other error for this. Any crate of the program may enable TLS, so our own feature says nothing.
    matches!(error, sqlx::Error::Tls(problem) if problem.to_string().contains("without TLS support"))
}

fn parse(url: &str) -> Result<PgConnectOptions, String> {
    if url.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(match scheme(url) {
            Some(scheme) => format!("it starts with `{scheme}://`, not with `postgres://`"),
            None => "it does not start with `postgres://`".to_owned(),
        });
    }
    PgConnectOptions::from_str(url).map_err(|error| said(&error))
}

/// The text before `://`, if it can be a scheme: other parts of a url may hold a password.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let name = scheme.strip_prefix("jdbc:").unwrap_or(scheme);
    let is_name = !name.is_empty() && name.len() <= 20 && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_name.then_some(scheme)
}

/// What the server said, without the noise around it.
fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(refusal) => {
            let refusal = refusal.downcast_ref::<PgDatabaseError>();
            let detail = refusal.detail().map(|detail| format!(" ({})", detail.trim_end_matches('.')));
            format!("{}{} [{}]", refusal.message(), detail.unwrap_or_default(), refusal.code())
        }
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Configuration(error) | sqlx::Error::Tls(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(Into::into)
}

/// What to do next, for a condition that Postgres names by five characters.
pub(crate) type Remedy<'a> = (&'static str, &'a str);

/// Where a statement runs, for messages: never with a password.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// A connection that we opened.
    Known { server: String, database: String, role: String },
    /// A connection that somebody else opened.
    Unknown,
}

impl Place {
    fn of(options: &PgConnectOptions) -> Self {
        let role = options.get_username().to_owned();
        Self::Known {
            server: match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            },
            // Postgres takes the name of the role where no database is given.
            database: options.get_database().map_or_else(|| role.clone(), ToOwned::to_owned),
            role,
        }
    }

    /// The error of a connection that did not come about.
    fn unreachable(&self, error: &sqlx::Error) -> Error {
        let remedy = match (error, sqlstate(error).as_deref()) {
            (sqlx::Error::Io(_), _) => START_IT,
            (error, _) if lacks_tls(error) => {
                "turn on the feature `tls` of `durable` (or of `durable-migrate`), or take `sslmode` out of the database url"
            }
            (sqlx::Error::Tls(_) | sqlx::Error::Configuration(_), _) => {
                "correct `sslmode` or `sslrootcert` in the database url, or the certificate of the server"
            }
            (_, Some("28P01" | "28000")) => "correct the user or the password in the database url",
            (_, Some("3D000")) => "create the database (with `createdb`), or correct its name in the database url",
            (_, Some("42501")) => "let the owner of the database `grant connect` on it",
            (_, Some("53300")) => "close connections that nobody uses, or raise `max_connections`",
            (_, Some("57P03")) => "try again in a moment",
            _ => "correct the database url, or read the log of the server",
        };
        Error::Connect { database: self.to_string(), problem: said(error), remedy: remedy.to_owned() }
    }

    /// The error of a statement that was refused while `action` was under way; `remedies` are tried before the usual ones.
    pub(crate) fn refused(&self, action: impl Into<String>, error: &sqlx::Error, remedies: &[Remedy<'_>]) -> Error {
        let sqlstate = sqlstate(error);
        let special = remedies.iter().find(|(condition, _)| Some(*condition) == sqlstate.as_deref());
        let remedy = match (special, sqlstate.as_deref()) {
            (Some((_, remedy)), _) => remedy,
            (_, Some("25006")) => PRIMARY,
            (_, Some("40P01")) => "try again: another session was in the way",
            (_, Some("55P03")) => "try again when the session that holds the lock is done (see `pg_stat_activity`)",
            (_, Some(_)) => "read the log of the server for the whole statement",
            (_, None) => "see that the server is up, and try again",
        };
        // 08: the connection; 57P: the server shuts down, has crashed or starts. No code: the network.
        let passes = sqlstate.is_none_or(|code| code.starts_with("08") || code.starts_with("57P"));
        Error::Statement {
            action: action.into(),
            database: self.to_string(),
            problem: said(error),
            remedy: remedy.to_owned(),
            passes,
        }
    }

    /// The name of the role, for advice.
    pub(crate) fn role(&self) -> &str {
        match self {
            Self::Known { role, .. } => role,
            Self::Unknown => "<this role>",
        }
    }

    /// The name of the database, for advice.
    pub(crate) fn database(&self) -> &str {
        match self {
            Self::Known { database, .. } => database,
            Self::Unknown => "<this database>",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known { server, database, role } => write!(f, "database `{database}` at {server} as role `{role}`"),
            Self::Unknown => f.write_str("the database of this connection"),
        }
    }
}

/// Writes a name so that Postgres takes it as it is, whatever it contains.
pub(crate) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

const START_IT: &str = "start the server, or correct host and port in the database url";

pub(crate) const PRIMARY: &str = "give the url of the primary server, where one may write";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_none_is_refused_without_showing_it() {
        for (url, because) in [
            ("", "it is empty"),
            ("  ", "it is empty"),
            ("user:hush@localhost/app", "does not start with `postgres://`"),
            ("mysql://user:hush@localhost/app", "it starts with `mysql://`, not with `postgres://`"),
            ("jdbc:postgresql://localhost/app?password=hush", "it starts with `jdbc:postgresql://`, not with `postgres://`"),
            ("user:hush://localhost/app", "does not start with `postgres://`"),
            ("postgres://user:hush@localhost:99999/app", "invalid port number"),
            ("postgres://user:hush@[::1/app", "invalid IPv6 address"),
        ] {
            let problem = parse(url).unwrap_err();
            assert!(problem.contains(because), "{problem}");
            assert!(!format!("{problem} {:?}", Database::from(url)).contains("hush"), "{problem}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let database = Database::from("postgres://user:hush@localhost:5433/app?password=hush");
        assert_eq!(format!("{database:?}"), "Database(database `app` at localhost:5433 as role `user`)");
    }

    #[test]
    fn the_database_is_named_after_the_role_where_the_url_has_none() {
        let database = Database::from("postgres://user@localhost:5433");
        assert!(format!("{database:?}").contains("database `user`"));
    }

    #[test]
    fn a_quoted_name_stays_one_name() {
        assert_eq!(quote("plain"), "\"plain\"");
        assert_eq!(quote("a\"; drop role b; --"), "\"a\"\"; drop role b; --\"");
    }
}
