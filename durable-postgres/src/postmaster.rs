//! Reads `postmaster.pid` and finds out whether the process it names is still this cluster's server.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Loopback answers at once; a firewall that swallows packets must not hang the caller.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// What `postmaster.pid` says. The server writes it in several steps, so a young one may be short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Postmaster {
    pub(crate) pid: u32,
    pub(crate) port: u16,
    /// It has said that it accepts connections.
    pub(crate) ready: bool,
}

/// Who has a process id today.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Holder {
    OurServer,
    Nobody,
    /// Another program, or a dead server whose parent has not collected it.
    SomethingElse,
    Unknown,
}

impl Postmaster {
    /// The server that runs on these data files, if there is one.
    pub(crate) fn running_on(data: &Path) -> Option<Self> {
        let postmaster = parse(&fs::read_to_string(pid_file(data)).ok()?)?;
        match holder_of(postmaster.pid, data) {
            Holder::OurServer | Holder::Unknown => Some(postmaster),
            Holder::Nobody | Holder::SomethingElse => None,
        }
    }

    /// Whether somebody answers at the port.
    pub(crate) fn accepts(&self) -> bool {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()
    }
}

/// Removes a `postmaster.pid` whose process id went to another program, for instance after a reboot: the server would take
/// that program for a running server and refuse to start. Where the id is free the server sees that by itself.
pub(crate) fn remove_misleading_pid_file(data: &Path) -> io::Result<()> {
    let file = pid_file(data);
    let named = fs::read_to_string(&file).ok().and_then(|text| parse_pid(&text));
    match named.map(|pid| holder_of(pid, data)) {
        // Backends which outlived their server are no danger: the new server finds their shared memory without this file.
        Some(Holder::SomethingElse) => fs::remove_file(file),
        _ => Ok(()),
    }
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

/// Lines: process id, data folder, start time, port, socket folder, address, shared memory, status.
fn parse(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    Some(Postmaster {
        pid: parse_pid(text)?,
        port: lines.get(3)?.parse().ok()?,
        ready: lines.get(7).is_some_and(|status| *status == "ready"),
    })
}

fn parse_pid(text: &str) -> Option<u32> {
    text.lines().next()?.trim().parse().ok()
}

/// A server works in its data folder, and nothing else does but the processes it started.
fn holder_of(pid: u32, data: &Path) -> Holder {
    if !Path::new("/proc/self").exists() {
        return ask_ps(pid);
    }
    let process = PathBuf::from(format!("/proc/{pid}"));
    match fs::read_link(process.join("cwd")) {
        Ok(folder) if folder == data => Holder::OurServer,
        Ok(_) => Holder::SomethingElse,
        Err(error) if error.kind() != io::ErrorKind::NotFound => Holder::Unknown,
        Err(_) if process.exists() => Holder::SomethingElse,
        Err(_) => Holder::Nobody,
    }
}

/// Where there is no /proc, the command line is all that can be had: the server has its data folder in it.
fn ask_ps(pid: u32) -> Holder {
    let output = Command::new("ps").args(["-ww", "-o", "command=", "-p"]).arg(pid.to_string()).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        return Holder::Unknown;
    };
    match String::from_utf8_lossy(&output.stdout).trim() {
        "" => Holder::Nobody,
        command if command.contains("postgres") => Holder::OurServer,
        _ => Holder::SomethingElse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = "4711\n/data\n1700000000\n23456\n\n127.0.0.1\n 262155  98304\nready   \n";

    #[test]
    fn a_complete_pid_file_is_read() {
        assert_eq!(parse(READY), Some(Postmaster { pid: 4711, port: 23456, ready: true }));
    }

    #[test]
    fn a_pid_file_that_is_still_being_written_is_not_ready() {
        let starting = READY.replace("ready", "starting");
        assert!(!parse(&starting).unwrap().ready);
        assert_eq!(parse("4711\n/data\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_process_that_works_elsewhere_is_not_our_server() {
        let holder = holder_of(std::process::id(), Path::new("/nowhere"));
        assert_eq!(holder, Holder::SomethingElse);
    }

    #[test]
    fn a_process_id_beyond_all_limits_belongs_to_nobody() {
        assert_eq!(holder_of(u32::MAX / 2, Path::new("/nowhere")), Holder::Nobody);
    }
}
