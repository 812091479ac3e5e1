//! Starts, stops and kills the server of a cluster, and waits for what that takes.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    Error,
    account::Account,
    binaries::Binaries,
    folders,
    postmaster::{self, Postmaster},
};

/// How long a start is repeated while something stands in its way that passes: backends of a killed server, a taken port.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one start or stop may take. Replaying the log after a crash is the slow part.
const PG_CTL_SECONDS: &str = "60";

/// How long a killed server may stay in the process table.
const DYING: Duration = Duration::from_secs(10);

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

/// Below the ports that systems hand out for outgoing connections, so that a port is still free after a restart.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;

/// Free ports are plenty; a machine where so many in a row are taken has another problem.
const PORT_ATTEMPTS: usize = 100;

/// A log larger than this is put aside before the next start.
const LARGE_LOG_BYTES: u64 = 16 * 1024 * 1024;

/// Enough of the end of the log to show in an error.
const LOG_TAIL_LINES: usize = 15;
/// The most that is read of the log of one start.
const MOST_LOG_BYTES: u64 = 1024 * 1024;

/// Room for a worker pool or several; the server's own default is 100.
const DEFAULT_SETTINGS: [(&str, &str); 2] = [("max_connections", "200"), ("shared_buffers", "128MB")];

/// A cluster's folder and all that is needed to run its server.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) account: Account,
    pub(crate) binaries: Binaries,
    pub(crate) folder: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) settings: Vec<(String, String)>,
    /// Whether the files must survive a power cut from the first moment on.
    pub(crate) durable: bool,
}

/// The port that a starting server gets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PortChoice {
    /// Urls are in use that name it: no other will do.
    Keep(u16),
    /// This one if it is free.
    Prefer(Option<u16>),
}

enum Attempt {
    Started,
    PortTaken(Error),
    /// Processes of a killed server are still there.
    OldBackends(Error),
}

/// The port of the running server, which is started unless it runs.
pub(crate) fn ensure_running(site: &Site, choice: PortChoice) -> Result<u16, Error> {
    let deadline = Instant::now() + PATIENCE;
    let mut pauses = Pauses::new();
    let mut choice = choice;
    loop {
        if let Some(port) = attach(site) {
            return Ok(port);
        }
        postmaster::remove_misleading_pid_file(&site.data)
            .map_err(Error::io(format!("remove the stale postmaster.pid in {}", site.data.display())))?;
        let port = choose_port(choice)?;
        let obstacle = match start_once(site, port)? {
            Attempt::Started => return Ok(port),
            Attempt::OldBackends(error) => error,
            Attempt::PortTaken(error) => {
                if let PortChoice::Prefer(_) = choice {
                    choice = PortChoice::Prefer(None);
                }
                error
            }
        };
        if Instant::now() >= deadline {
            return Err(obstacle);
        }
        pauses.next();
    }
}

/// Stops the server in good order, if it runs, and waits until it is gone.
pub(crate) fn stop(site: &Site) -> Result<(), Error> {
    if Postmaster::running_on(&site.data).is_none() {
        return Ok(());
    }
    let doing = format!("stop the PostgreSQL server in {}", site.data.display());
    let output = pg_ctl(site)
        .args(["stop", "-s", "-w", "-t", PG_CTL_SECONDS, "-m", "fast", "-D"])
        .arg(&site.data)
        .output()
        .map_err(Error::io(doing.as_str()))?;
    // It may have gone by itself between the look and the stop.
    if output.status.success() || Postmaster::running_on(&site.data).is_none() {
        return Ok(());
    }
    Err(program_error(site, doing, &String::from_utf8_lossy(&output.stderr), 0))
}

/// Has a standby follow no longer, and waits until it writes.
pub(crate) fn promote(site: &Site) -> Result<(), Error> {
    let doing = format!("promote the PostgreSQL server in {}", site.data.display());
    let output = pg_ctl(site)
        .args(["promote", "-s", "-w", "-t", PG_CTL_SECONDS, "-D"])
        .arg(&site.data)
        .output()
        .map_err(Error::io(doing.as_str()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(program_error(site, doing, &String::from_utf8_lossy(&output.stderr), 0))
}

/// Kills the server's first process as a crash would, and waits until it is gone. Its other processes follow a moment later.
pub(crate) fn kill(site: &Site) -> Result<(), Error> {
    let doing = format!("kill the PostgreSQL server in {}", site.data.display());
    let Some(victim) = Postmaster::running_on(&site.data) else {
        return Err(Error::refused(doing, "it does not run"));
    };
    let output = pg_ctl(site).args(["kill", "KILL"]).arg(victim.pid.to_string()).output().map_err(Error::io(doing.as_str()))?;
    if !output.status.success() {
        return Err(program_error(site, doing, &String::from_utf8_lossy(&output.stderr), 0));
    }
    let deadline = Instant::now() + DYING;
    let mut pauses = Pauses::new();
    while Postmaster::running_on(&site.data).is_some_and(|running| running.pid == victim.pid) {
        if Instant::now() >= deadline {
            return Err(Error::refused(doing, format!("process {} is still there", victim.pid)));
        }
        pauses.next();
    }
    Ok(())
}

/// Waits for a server that somebody started to become ready. A process which does not answer in time is not waited for
/// any longer: what `pg_ctl` says about it is the better message.
fn attach(site: &Site) -> Option<u16> {
    let deadline = Instant::now() + PATIENCE;
    let mut pauses = Pauses::new();
    loop {
        let running = Postmaster::running_on(&site.data)?;
        if running.ready && running.accepts() {
            return Some(running.port);
        }
        if Instant::now() >= deadline {
            return None;
        }
        pauses.next();
    }
}

fn choose_port(choice: PortChoice) -> Result<u16, Error> {
    match choice {
        PortChoice::Keep(port) => return Ok(port),
        PortChoice::Prefer(Some(port)) if is_free(port) => return Ok(port),
        PortChoice::Prefer(_) => {}
    }
    for _ in 0..PORT_ATTEMPTS {
        let random = u16::from_str_radix(&folders::random_word(2)?, 16).unwrap_or_default();
        let port = FIRST_PORT + random % PORTS;
        if is_free(port) {
            return Ok(port);
        }
    }
    Err(Error::refused(
        "choose a port for the PostgreSQL server",
        format!("{PORT_ATTEMPTS} ports on 127.0.0.1 from {FIRST_PORT} on are taken"),
    ))
}

/// Somebody may still take it before the server does; that start is then repeated.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn start_once(site: &Site, port: u16) -> Result<Attempt, Error> {
    let doing = format!("start the PostgreSQL server in {}", site.data.display());
    let log = prepare_log(site)?;
    let log_start = fs::metadata(&log).map_or(0, |found| found.len());
    let said = site.folder.join("pg_ctl.log");
    let output = File::create(&said).map_err(Error::io(format!("write {}", said.display())))?;
    let errors = output.try_clone().map_err(Error::io(format!("write {}", said.display())))?;
    // To a file, not to pipes: the server lives on, and whoever reads a pipe it holds waits for ever.
    let status = pg_ctl(site)
        .args(["start", "-w", "-t", PG_CTL_SECONDS, "-D"])
        .arg(&site.data)
        .arg("-l")
        .arg(&log)
        .arg("-o")
        .arg(server_options(site, port))
        .stdout(output)
        .stderr(errors)
        .status()
        .map_err(Error::io(doing.as_str()))?;
    if status.success() {
        return Ok(Attempt::Started);
    }
    let output = fs::read_to_string(&said).unwrap_or_default();
    let logged = log_since(&log, log_start);
    let error = program_error(site, doing, &output, log_start);
    if is_about_port(&logged) {
        Ok(Attempt::PortTaken(error))
    } else if is_about_old_backends(&logged) || is_about_old_backends(&output) {
        Ok(Attempt::OldBackends(error))
    } else {
        Err(error)
    }
}

fn is_about_port(text: &str) -> bool {
    text.contains("could not create any TCP/IP sockets")
}

fn is_about_old_backends(text: &str) -> bool {
    text.contains("is still in use") || text.contains("lock file \"postmaster.pid\" already exists")
}

fn pg_ctl(site: &Site) -> Command {
    site.account.command(site.binaries.program("pg_ctl"))
}

/// Settings for `pg_ctl -o`, which hands them to a shell. Later ones win, so what callers may not change comes last.
fn server_options(site: &Site, port: u16) -> String {
    let port = port.to_string();
    let fixed = [
        ("listen_addresses", "127.0.0.1"),
        ("port", port.as_str()),
        ("unix_socket_directories", ""),
        ("logging_collector", "off"),
    ];
    let chosen = site.settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let all = DEFAULT_SETTINGS.into_iter().chain(chosen).chain(fixed);
    let options: Vec<String> = all.map(|(name, value)| format!("-c {}", quoted(&format!("{name}={value}")))).collect();
    options.join(" ")
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The log, which belongs to the server; a long one is put aside.
fn prepare_log(site: &Site) -> Result<PathBuf, Error> {
    let log = log_path(&site.folder);
    let doing = || format!("prepare the log {}", log.display());
    if fs::metadata(&log).is_ok_and(|found| found.len() > LARGE_LOG_BYTES) {
        fs::rename(&log, site.folder.join("server.log.old")).map_err(Error::io(doing()))?;
    }
    OpenOptions::new().create(true).append(true).open(&log).map_err(Error::io(doing()))?;
    site.account.give(&log)?;
    Ok(log)
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

/// What was written from `start` on. Processes of a killed server write to the same log, so the reason may be anywhere in it.
fn log_since(log: &Path, start: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let start = start.max(file.metadata()?.len().saturating_sub(MOST_LOG_BYTES));
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    // Only ever a part of another error's message: without it that error is still worth showing.
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// The last lines that were written from `start` on.
fn log_tail(log: &Path, start: u64) -> String {
    let text = log_since(log, start);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}

fn program_error(site: &Site, doing: String, output: &str, log_start: u64) -> Error {
    Error::Program { doing, output: output.trim().to_owned(), log: log_tail(&log_path(&site.folder), log_start) }
}

/// Naps that grow, for what another process does and gives no sign of.
struct Pauses(Duration);

impl Pauses {
    fn new() -> Self {
        Self(FIRST_PAUSE)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "another process's progress shows in files only, and those have to be looked at again"
    )]
    fn next(&mut self) {
        thread::sleep(self.0);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_with_quotes_reaches_the_server_whole() {
        assert_eq!(quoted("a='b' $(c)"), r"'a='\''b'\'' $(c)'");
    }

    #[test]
    fn a_port_below_the_outgoing_ones_is_chosen() {
        let port = choose_port(PortChoice::Prefer(None)).unwrap();
        assert!((FIRST_PORT..FIRST_PORT + PORTS).contains(&port));
    }

    #[test]
    fn a_taken_port_is_not_preferred() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(choose_port(PortChoice::Prefer(Some(port))).unwrap(), port);
    }

    #[test]
    fn the_tail_of_a_log_begins_where_the_start_did() {
        let log = std::env::temp_dir().join(format!("durable-postgres-{}.log", std::process::id()));
        fs::write(&log, "yesterday\ntoday\n").unwrap();
        assert_eq!(log_tail(&log, 10), "today");
        fs::remove_file(&log).unwrap();
    }
}
