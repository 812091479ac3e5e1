//! What processes have used so far, from `/proc`, in nanoseconds if the usual clock ticks would be too coarse.

use std::fs;
use std::io;
use std::time::Duration;

/// Of the times in `/proc/<pid>/stat`; the same on every Linux that we know.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time of this process: the sum of its live threads.
pub(crate) fn own_cpu() -> io::Result<Duration> {
    cpu_of("self")
}

/// Processor time of the server: its first process, the others, and those that have ended.
pub(crate) fn server_cpu(postmaster: u32) -> io::Result<Duration> {
    let first = Stat::read(&postmaster.to_string())?;
    let mut cpu = cpu_of(&postmaster.to_string())? + first.ended_children;
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())) else { continue };
        // The server's first process counts a process that ends meanwhile.
        if Stat::read(pid).is_ok_and(|stat| stat.parent == postmaster) {
            cpu += cpu_of(pid).unwrap_or_default();
        }
    }
    Ok(cpu)
}

/// Memory of this process that is in use and not shared with files, in bytes.
pub(crate) fn own_memory() -> io::Result<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024.0).ok_or_else(|| malformed("/proc/self/status"))
}

fn cpu_of(process: &str) -> io::Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let file = thread?.path().join("schedstat");
        // A thread may end between the listing and the look.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let running: u64 =
            text.split(' ').next().and_then(|running| running.parse().ok()).ok_or_else(|| malformed("schedstat"))?;
        nanoseconds += running;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    parent: u32,
    ended_children: Duration,
}

impl Stat {
    fn read(process: &str) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
        Self::parse(&text).ok_or_else(|| malformed("stat"))
    }

    /// The second field is the program's name in parentheses, and may hold anything.
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |nth: usize| fields.get(nth)?.parse::<f64>().ok();
        let ended_children = Duration::from_secs_f64((ticks(13)? + ticks(14)?) / TICKS_PER_SECOND);
        Some(Self { parent: fields.get(1)?.parse().ok()?, ended_children })
    }
}

fn malformed(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} in /proc is not as expected; the bench needs Linux"))
}
