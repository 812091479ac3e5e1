//! Cleans up a temporary cluster when its owner is gone, whichever way it went.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Error, folders, postmaster::Postmaster};

/// Held by the owner for as long as it lives; a folder whose lock is free has no owner.
const OWNER_LOCK: &str = "owner";

/// A folder this young may be one whose owner is about to take the lock.
const YOUNG: Duration = Duration::from_secs(600);

/// Ends when its input does, which is when the owner dies or lets go; then stops the server in `$1` and removes the folder.
/// It is a process of its own because nothing inside the owner runs after `kill -9`, and statics are never dropped.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done

is_server() {
    [ -n "$pid" ] || return 1
    if [ -e /proc/self ]; then
        [ "$(readlink "/proc/$pid/cwd")" = "$1/data" ]
    else
        kill -0 "$pid"
    fi
}

pid=
read -r pid < "$1/data/postmaster.pid"
case $pid in *[!0-9]*) pid= ;; esac
if is_server "$1"; then
    kill -QUIT "$pid"
    tries=0
    while is_server "$1" && [ "$tries" -lt 200 ]; do
        tries=$((tries + 1))
        sleep 0.03 || sleep 1
    done
    is_server "$1" && kill -KILL "$pid"
fi

# Again and again: an initdb, or a backend on its way out, may still be writing.
tries=0
while rm -rf "$1"; [ -e "$1" ] && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1 || sleep 1
done
"#;

/// The process that waits for this one to end, and the folder that it then removes.
#[derive(Debug)]
pub(crate) struct Watchdog {
    process: Child,
    folder: PathBuf,
    _owner: File,
}

impl Watchdog {
    /// Starts to guard a folder in which a server is going to be started.
    pub(crate) fn guard(folder: &Path) -> Result<Self, Error> {
        let owner = folders::lock(&folder.join(OWNER_LOCK))?;
        let process = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "durable-postgres-watchdog"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Out of reach of the terminal's Ctrl-C, which ends the owner.
            .process_group(0)
            .spawn()
            .map_err(Error::io("start the process that cleans up after a temporary PostgreSQL cluster"))?;
        Ok(Self { process, folder: folder.to_owned(), _owner: owner })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It always ends, and there is nobody to tell if it cannot be waited for.
        let _ = self.process.wait();
        // For the case that it was killed. A server whose files are gone ends by itself within a minute.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes temporary clusters whose owner and watchdog both went without cleaning up, as in a power cut.
pub(crate) fn remove_abandoned(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        let folder = entry.path();
        if is_abandoned(&folder) {
            // The next start tries again.
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

fn is_abandoned(folder: &Path) -> bool {
    let young = fs::metadata(folder)
        .and_then(|found| found.modified())
        .map_or(true, |modified| modified.elapsed().map_or(true, |age| age < YOUNG));
    if young || Postmaster::running_on(&folder.join("data")).is_some() {
        return false;
    }
    folders::open_lock(&folder.join(OWNER_LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Instant, SystemTime};

    use super::*;

    #[test]
    fn only_an_old_folder_without_an_owner_is_abandoned() {
        let folder = std::env::temp_dir().join(format!("durable-postgres-{}-old", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let lock = folders::lock(&folder.join(OWNER_LOCK)).unwrap();
        assert!(!is_abandoned(&folder), "it is young");
        File::open(&folder).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(!is_abandoned(&folder), "it has an owner");
        drop(lock);
        // A process that another test starts holds the lock, too, until it runs its own program.
        let patience = Instant::now() + Duration::from_secs(60);
        while !is_abandoned(&folder) {
            assert!(Instant::now() < patience, "it has no owner any more");
            thread::yield_now();
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
