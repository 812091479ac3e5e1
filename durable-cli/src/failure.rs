//! What ends the program early, and with which exit code.

use std::io::{ErrorKind as Io, Write};
use std::process::ExitCode;

use durable::{Error, ErrorKind, migrate};

use crate::plain;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
}

/// The exit codes, as `--help` has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// Nobody reads what is printed any more: no failure of ours.
    Unread = 0,
    Failed = 1,
    Usage = 2,
    Unreachable = 3,
    NotFound = 4,
    Kept = 5,
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: Code::Failed, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: Code::Usage, message: message.into() }
    }

    /// A message that nothing waits for was kept, and the caller did not say `--early`.
    pub(crate) fn kept(message: impl Into<String>) -> Self {
        Self { code: Code::Kept, message: message.into() }
    }

    /// The database was not reached, or did not let us in.
    pub(crate) fn of_connecting(error: Error) -> Self {
        let refused = error.kind() == ErrorKind::Database;
        let failure = Self::from(error);
        if refused { Self { code: Code::Unreachable, ..failure } } else { failure }
    }

    /// Prints the failure of one of several ids at once; the command continues.
    pub(crate) fn warn(&self) {
        if self.code != Code::Unread {
            // If standard error is closed, the exit code still says it.
            writeln!(std::io::stderr(), "durable: {}", plain::on_lines(&self.message)).ok();
        }
    }

    /// Says what went wrong.
    pub(crate) fn tell(self) -> ExitCode {
        self.warn();
        ExitCode::from(self.code as u8)
    }

    /// What became of a command that was about several ids, once it has done what it could.
    pub(crate) fn of_several(mut failures: Vec<Self>, all: usize) -> Result<(), Self> {
        match failures.len() {
            0 => Ok(()),
            1 if all == 1 => Err(failures.remove(0)),
            failed => {
                failures.iter().for_each(Self::warn);
                let same = failures.iter().all(|failure| failure.code == failures[0].code);
                let code = if same { failures[0].code } else { Code::Failed };
                Err(Self { code, message: format!("{failed} of {all} failed") })
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::Unavailable => Code::Unreachable,
            ErrorKind::Invalid => Code::Usage,
            _ => Code::Failed,
        };
        Self { code, message: format!("{error:#}") }
    }
}

impl From<migrate::Error> for Failure {
    fn from(error: migrate::Error) -> Self {
        let code = match error {
            migrate::Error::Connect { .. } => Code::Unreachable,
            migrate::Error::InvalidUrl { .. }
            | migrate::Error::InvalidRole { .. }
            | migrate::Error::InvalidRange { .. }
            | migrate::Error::InvalidSchemaName { .. } => Code::Usage,
            _ => Code::Failed,
        };
        Self { code, message: format!("failed to {error}") }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // The reader has seen enough, as in `durable execution list | head`.
        let code = if error.kind() == Io::BrokenPipe { Code::Unread } else { Code::Failed };
        Self { code, message: format!("cannot talk to the system: {error}") }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(kind) => std::io::Error::from(kind).into(),
            None => Self::failed(format!("cannot write JSON: {error}")),
        }
    }
}
