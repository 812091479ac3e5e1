//! A running server with a folder of its own: the public face of this crate.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use crate::{
    Error,
    account::Account,
    binaries::{self, Binaries, Source},
    folders,
    initialize::{self, NAME},
    postmaster::Postmaster,
    server::{self, PortChoice, Site},
    watchdog::{self, Watchdog},
};

/// The longest name of a cluster, so that its folder's name stays within every file system's limit.
const LONGEST_NAME: usize = 64;

/// Which cluster to start, and how.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The folder in which the cluster's own folder is made; by default one that suits the user, see the crate's front page.
    /// When run as root every user must be able to enter it.
    pub directory: Option<PathBuf>,
    /// Keeps the files in memory, for tests: a database is then created and dropped in a fraction of the time. On Linux this is
    /// `/dev/shm`, if it has 2 GiB to spare; elsewhere, and with a `directory`, the files are on disk all the same. A reboot deletes
    /// them, and the next start makes the cluster anew. Not by default.
    pub in_memory: bool,
    /// The cluster's name: lower-case letters, digits, `-` and `_`. Persistent clusters of one name are one cluster.
    pub name: String,
    /// Server settings, such as `("fsync", "off")`. They take effect when the server is started, not when one is found running.
    /// Address, port and socket folder are not the caller's to choose.
    pub settings: Vec<(String, String)>,
    /// What becomes of the server when its owner goes.
    pub lifetime: Lifetime,
    /// The server programs to use; by default those of [`find_binaries`](crate::find_binaries), or of a later source where
    /// the data files were made by another major version.
    pub binaries: Option<Binaries>,
}

impl Default for ClusterOptions {
    /// The persistent cluster named `dev`.
    fn default() -> Self {
        Self {
            directory: None,
            in_memory: false,
            name: "dev".to_owned(),
            settings: Vec::new(),
            lifetime: Lifetime::default(),
            binaries: None,
        }
    }
}

/// What becomes of a cluster when its owner goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// The server lives on, however the process ends, and the next start of the same name attaches to it. Dropping the
    /// [`Cluster`] does nothing; [`Cluster::stop`] stops the server and keeps the data.
    #[default]
    Persistent,
    /// The server is stopped and its folder deleted when the [`Cluster`] is dropped, and also when the process ends in
    /// any other way: a small watchdog process waits for that. So a `Cluster` may live in a static, which Rust never drops.
    /// Each start makes a new cluster, whatever its name.
    Temporary,
}

/// A running PostgreSQL server with a role `durable`, a superuser, and a database `durable`.
///
/// Several processes may hold the same persistent cluster; starting and stopping it is guarded by a lock in its folder.
pub struct Cluster {
    site: Site,
    port: u16,
    password: String,
    // Dropping it removes the cluster.
    _watchdog: Option<Watchdog>,
}

impl Cluster {
    /// Creates the cluster if need be, starts its server unless it runs, and returns when it accepts connections.
    ///
    /// # Errors
    /// When there are no server programs, the folder cannot be used, or the server does not start; the message ends with the
    /// last lines of the server's log.
    pub fn start(options: ClusterOptions) -> Result<Self, Error> {
        Self::open(options, initialize::ensure_initialized)
    }

    /// Copies this cluster into another, and starts that as a standby: it follows this server, and only reads, until
    /// [`promote`](Self::promote). It has this cluster's role and password; give it the same settings. Where it is to find this
    /// server by another way than directly, give it `primary_conninfo`, too.
    ///
    /// # Errors
    /// As for [`start`](Self::start), and when this server does not run.
    pub fn start_standby(&self, options: ClusterOptions) -> Result<Self, Error> {
        let binaries = options.binaries.clone().unwrap_or_else(|| self.site.binaries.clone());
        let options = ClusterOptions { binaries: Some(binaries), ..options };
        Self::open(options, |site| initialize::ensure_copied(site, self.port, &self.password))
    }

    /// Has a standby follow no longer, and write; returns when it does.
    ///
    /// # Errors
    /// When the server does not run, or is no standby.
    pub fn promote(&self) -> Result<(), Error> {
        let _lock = lock(&self.site.folder)?;
        server::promote(&self.site)
    }

    fn open(options: ClusterOptions, make: impl FnOnce(&Site) -> Result<String, Error>) -> Result<Self, Error> {
        check_name(&options.name)?;
        check_settings(&options.settings)?;
        let account = Account::of_this_process()?;
        let folder = make_folder(&account, &options)?;
        let watchdog = match options.lifetime {
            Lifetime::Persistent => None,
            Lifetime::Temporary => Some(Watchdog::guard(&folder)?),
        };
        account.check_can_enter(&folder)?;
        let _lock = lock(&folder)?;
        let data = folder.join("data");
        let binaries = choose_binaries(&account, options.binaries, &data)?;
        let site = Site {
            account,
            binaries,
            folder,
            data,
            settings: options.settings,
            durable: options.lifetime == Lifetime::Persistent,
        };
        let password = make(&site)?;
        let port = server::ensure_running(&site, PortChoice::Prefer(recorded_port(&site.folder)))?;
        record_port(&site.folder, port)?;
        Ok(Self { site, port, password, _watchdog: watchdog })
    }

    /// The url of the database `durable`, with the password.
    pub fn url(&self) -> String {
        self.database_url(NAME)
    }

    /// The url of another database on this server; the name goes into the url as it is.
    pub fn database_url(&self, database: &str) -> String {
        format!("postgres://{NAME}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The port on 127.0.0.1; it stays the same for as long as this value lives.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the data files. The server's log is beside it, in `server.log`.
    pub fn data_directory(&self) -> &Path {
        &self.site.data
    }

    /// The server programs in use.
    pub fn binaries(&self) -> &Binaries {
        &self.site.binaries
    }

    /// The process id of the server's first process; none while it does not run.
    pub fn postmaster_pid(&self) -> Option<u32> {
        Postmaster::running_on(&self.site.data).map(|running| running.pid)
    }

    /// Stops the server in good order, ending all sessions, and starts it on the same port.
    ///
    /// # Errors
    /// When the server does not stop or does not start.
    pub fn restart(&self) -> Result<(), Error> {
        let _lock = lock(&self.site.folder)?;
        server::stop(&self.site)?;
        self.start_on_same_port()
    }

    /// Kills the server's first process with `SIGKILL`, for tests of crashes. Its sessions end a moment later.
    ///
    /// # Errors
    /// When the server does not run or cannot be killed.
    pub fn kill(&self) -> Result<(), Error> {
        let _lock = lock(&self.site.folder)?;
        server::kill(&self.site)
    }

    /// Starts a killed or stopped server on the same port. What a killed one left behind has some seconds to go away.
    ///
    /// # Errors
    /// When the server does not start.
    pub fn start_again(&self) -> Result<(), Error> {
        let _lock = lock(&self.site.folder)?;
        self.start_on_same_port()
    }

    /// Stops the server in good order, ending all sessions; it is no error if it does not run.
    ///
    /// # Errors
    /// When the server does not stop.
    pub fn stop(&self) -> Result<(), Error> {
        let _lock = lock(&self.site.folder)?;
        server::stop(&self.site)
    }

    fn start_on_same_port(&self) -> Result<(), Error> {
        let port = server::ensure_running(&self.site, PortChoice::Keep(self.port))?;
        if port == self.port {
            return Ok(());
        }
        Err(Error::refused(
            format!("start the PostgreSQL server on port {}", self.port),
            format!("another process has started it on port {port}; ask for the cluster anew"),
        ))
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        f.debug_struct("Cluster")
            .field("port", &self.port)
            .field("data_directory", &self.site.data)
            .field("binaries", &self.site.binaries)
            .finish_non_exhaustive()
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::refused(
        format!("start a cluster named `{name}`"),
        format!("a name has 1 to {LONGEST_NAME} lower-case letters, digits, `-` and `_`"),
    ))
}

fn check_settings(settings: &[(String, String)]) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    match settings.iter().find(|(name, _)| name.is_empty() || !name.chars().all(allowed)) {
        None => Ok(()),
        Some((name, _)) => {
            Err(Error::refused(format!("use the server setting `{name}`"), "a setting's name has letters, digits, `_` and `.`"))
        }
    }
}

/// The cluster's own folder, links resolved, for a server is recognised by the folder it works in.
fn make_folder(account: &Account, options: &ClusterOptions) -> Result<PathBuf, Error> {
    // Temporary clusters have names of their own.
    let known = (options.lifetime == Lifetime::Persistent).then_some(options.name.as_str());
    let in_memory = || options.in_memory.then(|| folders::memory_home(account, known)).flatten();
    let home = match (&options.directory, options.lifetime) {
        (Some(directory), _) => std::path::absolute(directory).map_err(Error::io(format!("find {}", directory.display())))?,
        (None, lifetime) => match (in_memory(), lifetime) {
            (Some(home), _) => home,
            (None, Lifetime::Persistent) => folders::persistent_home(account)?,
            (None, Lifetime::Temporary) => folders::temporary_home(account)?,
        },
    };
    let name = match options.lifetime {
        Lifetime::Persistent => options.name.clone(),
        Lifetime::Temporary => {
            if options.directory.is_none() {
                watchdog::remove_abandoned(&home);
            }
            format!("{}-{}", options.name, folders::random_word(6)?)
        }
    };
    let folder = home.join(name);
    folders::make_private(account, &folder)?;
    folder.canonicalize().map_err(Error::io(format!("find {}", folder.display())))
}

fn lock(folder: &Path) -> Result<fs::File, Error> {
    folders::lock(&folder.join("lock"))
}

fn choose_binaries(account: &Account, chosen: Option<Binaries>, data: &Path) -> Result<Binaries, Error> {
    let made_by = initialize::major_of_data_files(data)?;
    match (chosen, made_by) {
        (Some(chosen), Some(major)) if chosen.major() != major => Err(Error::refused(
            format!("use PostgreSQL {} on {}", chosen.version(), data.display()),
            format!("version {major} made these files; use that, or delete them"),
        )),
        (Some(chosen), _) => Ok(chosen),
        (None, Some(major)) => binaries::find(account, &Source::ALL, made_by).map_err(|error| match error {
            Error::NoBinaries { tried, .. } => Error::NoBinaries { tried, made_by: Some((data.to_owned(), major)) },
            other => other,
        }),
        (None, None) => binaries::find(account, &Source::ALL, None),
    }
}

/// Kept over restarts, so that a url which somebody noted down goes on working. Without one another port is chosen.
fn recorded_port(folder: &Path) -> Option<u16> {
    fs::read_to_string(folder.join("port")).ok()?.trim().parse().ok()
}

fn record_port(folder: &Path, port: u16) -> Result<(), Error> {
    if recorded_port(folder) == Some(port) {
        return Ok(());
    }
    folders::write_private(&folder.join("port"), &port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_out_of_the_folder_is_refused() {
        for name in ["", "..", "a/b", "A", "ä"] {
            assert!(check_name(name).is_err(), "`{name}` was accepted");
        }
        assert!(check_name("my-tests_2").is_ok());
    }

    #[test]
    fn a_setting_name_that_could_be_read_by_a_shell_is_refused() {
        let settings = [("fsync; rm".to_owned(), "off".to_owned())];
        assert!(check_settings(&settings).is_err());
    }
}
