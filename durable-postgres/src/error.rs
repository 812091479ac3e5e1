//! What can go wrong when a server is looked for, created, started or stopped.

use std::{fmt, io, path::PathBuf};

/// The oldest release that `durable` supports.
pub(crate) const OLDEST_MAJOR: u32 = 14;

/// Why the private server is not available.
///
/// Messages are fragments that fit after "failed to", say which file or program it was about, and end with what to do next
/// where there is something to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No usable server programs are on this machine and none could be fetched.
    NoBinaries {
        /// Each place that was looked at, with what was wrong with it.
        tried: Vec<String>,
        /// Data files that ask for the major version which made them, where there are any.
        made_by: Option<(PathBuf, u32)>,
    },
    /// The operating system refused an operation on a file or a process.
    Io {
        /// What was being done, and to what.
        doing: String,
        /// The operating system's answer.
        source: io::Error,
    },
    /// A server program ran and failed.
    Program {
        /// What was being done, and to what.
        doing: String,
        /// What the program printed, or how it ended.
        output: String,
        /// The last lines of the server's log; empty where there is none.
        log: String,
    },
    /// Going on would be wrong or unsafe.
    Refused {
        /// What was being done, and to what.
        doing: String,
        /// Why not, and what to do instead.
        reason: String,
    },
}

#[cfg(unix)]
impl Error {
    /// For `map_err`: an I/O error with what was being done.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn refused(doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Refused { doing: doing.into(), reason: reason.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBinaries { tried, made_by } => describe_search(f, tried, made_by.as_ref()),
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
            Self::Program { doing, output, log } => {
                write!(f, "{doing}: {}", output.trim())?;
                if !log.is_empty() {
                    write!(f, "\nthe server's log ends with:\n{log}")?;
                }
                Ok(())
            }
            Self::Refused { doing, reason } => write!(f, "{doing}: {reason}"),
        }
    }
}

fn describe_search(f: &mut fmt::Formatter<'_>, tried: &[String], made_by: Option<&(PathBuf, u32)>) -> fmt::Result {
    let tried: String = tried.iter().map(|place| format!("\n  - {place}")).collect();
    match made_by {
        None => write!(
            f,
            "find PostgreSQL server programs; tried:{tried}\n\
             install PostgreSQL {OLDEST_MAJOR} or newer (Debian: apt install postgresql) or set DATABASE_URL"
        ),
        Some((data, major)) => write!(
            f,
            "find server programs of PostgreSQL {major}, which made {data}; tried:{tried}\n\
             install PostgreSQL {major}, delete {data} to start afresh, or set DATABASE_URL",
            data = data.display()
        ),
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::NoBinaries { .. } | Self::Program { .. } | Self::Refused { .. } => None,
        }
    }
}
