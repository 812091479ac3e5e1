//! Where files live, who may enter, and the locks and random words that keep processes apart.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::Read,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{Error, account::Account};

/// Fixed, because root's own folders are closed to the user that the server runs as; not in /var/tmp, which is cleaned by age.
const HOME_OF_ROOT: &str = "/var/lib/durable-postgres";

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";

/// Room that a cluster in memory must find, in KiB: many times what the databases of tests take. Containers often have 64 MiB.
const ROOM_IN_MEMORY: u64 = 2 * 1024 * 1024;

/// Bit mask: the group or others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The folder of persistent clusters.
pub(crate) fn persistent_home(account: &Account) -> Result<PathBuf, Error> {
    own_home(account, "XDG_DATA_HOME", ".local/share")
}

/// The folder of fetched server programs.
pub(crate) fn programs_home(account: &Account) -> Result<PathBuf, Error> {
    let home = own_home(account, "XDG_CACHE_HOME", ".cache")?.join("programs");
    make_private(account, &home)?;
    Ok(home)
}

/// The folder of temporary clusters.
pub(crate) fn temporary_home(account: &Account) -> Result<PathBuf, Error> {
    // Root's TMPDIR may be closed to the server's user.
    let parent = if account.invoked_by_root() { PathBuf::from("/var/tmp") } else { env::temp_dir() };
    let home = parent.join(format!("durable-postgres-{}", account.invoker()));
    make_private(account, &home)?;
    Ok(home)
}

/// The folder of clusters whose files are kept in memory; `None` if the system has no such folder, or too little room in it for
/// another cluster. There is room for the cluster of this name if it is there already.
pub(crate) fn memory_home(account: &Account, cluster: Option<&str>) -> Option<PathBuf> {
    let home = Path::new(MEMORY).join(format!("durable-postgres-{}", account.invoker()));
    if !has_room(&home, cluster, free_in_memory) {
        return None;
    }
    make_private(account, &home).ok()?;
    Some(home)
}

fn has_room(home: &Path, cluster: Option<&str>, free_kibibytes: impl FnOnce() -> Option<u64>) -> bool {
    cluster.is_some_and(|name| home.join(name).is_dir()) || free_kibibytes().is_some_and(|free| free >= ROOM_IN_MEMORY)
}

fn free_in_memory() -> Option<u64> {
    let room = Command::new("df").args(["-Pk", MEMORY]).stdin(Stdio::null()).output().ok().filter(|df| df.status.success())?;
    free_kibibytes(&String::from_utf8_lossy(&room.stdout))
}

/// The free room in what `df -Pk` says of one folder in memory. A folder on a disk is not meant.
fn free_kibibytes(df: &str) -> Option<u64> {
    let mut fields = df.lines().nth(1)?.split_whitespace();
    // Docker names the file system `shm`.
    if !matches!(fields.next()?, "tmpfs" | "shm") {
        return None;
    }
    fields.nth(2)?.parse().ok()
}

/// Makes a folder that only the invoking user can write to, or makes sure that an existing one is such a folder.
/// Root's can be entered by all, for the server runs as somebody else.
pub(crate) fn make_private(account: &Account, folder: &Path) -> Result<(), Error> {
    let doing = || format!("make the folder {}", folder.display());
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(Error::io(doing()))?;
    }
    let mode = if account.invoked_by_root() { 0o755 } else { 0o700 };
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::io(doing())(error));
        }
        _ => {}
    }
    // Not following links: in a folder like /tmp another user may have put one there first.
    let found = fs::symlink_metadata(folder).map_err(Error::io(doing()))?;
    if !found.is_dir() || found.uid() != account.invoker() || found.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(Error::refused(doing(), "something is there already that is not a folder of yours alone; move it away"));
    }
    fs::set_permissions(folder, Permissions::from_mode(mode)).map_err(Error::io(doing()))
}

/// Opens a lock file and waits until no other process (or thread) holds it. Closing the file releases it, and so does dying.
pub(crate) fn lock(path: &Path) -> Result<File, Error> {
    let doing = || format!("lock {}", path.display());
    let file = open_lock(path).map_err(Error::io(doing()))?;
    file.lock().map_err(Error::io(doing()))?;
    Ok(file)
}

/// Opens a lock file without taking the lock.
pub(crate) fn open_lock(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
}

/// Writes a file that only its owner can read, all of it or none.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let doing = || format!("write {}", path.display());
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io(doing())(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished).map_err(Error::io(doing()))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(Error::io(doing()))?;
    file.sync_all().map_err(Error::io(doing()))?;
    fs::rename(&unfinished, path).map_err(Error::io(doing()))
}

/// Random bytes from the operating system, two hexadecimal digits each.
pub(crate) fn random_word(bytes: usize) -> Result<String, Error> {
    let mut random = vec![0; bytes];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut random))
        .map_err(Error::io("read random bytes from /dev/urandom"))?;
    Ok(hexadecimal(&random))
}

/// Two lower-case digits a byte.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn own_home(account: &Account, variable: &str, below_home: &str) -> Result<PathBuf, Error> {
    let home = if account.invoked_by_root() { PathBuf::from(HOME_OF_ROOT) } else { user_home(account, variable, below_home) };
    make_private(account, &home)?;
    Ok(home)
}

fn user_home(account: &Account, variable: &str, below_home: &str) -> PathBuf {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match absolute(variable).or_else(|| Some(absolute("HOME")?.join(below_home))) {
        Some(parent) => parent.join("durable-postgres"),
        None => PathBuf::from(format!("/var/tmp/durable-postgres-{}", account.invoker())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_in_memory_for_a_cluster_that_is_there_already() {
        let home = env::temp_dir().join(format!("durable-postgres-room-{}", random_word(6).unwrap()));
        fs::create_dir_all(home.join("dev")).unwrap();
        for full in [None, Some(ROOM_IN_MEMORY - 1)] {
            assert!(has_room(&home, Some("dev"), || full));
            assert!(!has_room(&home, Some("other"), || full) && !has_room(&home, None, || full));
        }
        assert!(has_room(&home, Some("other"), || Some(ROOM_IN_MEMORY)) && has_room(&home, None, || Some(ROOM_IN_MEMORY)));
        fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn free_room_is_read_for_a_folder_in_memory_only() {
        let df = |device: &str| {
            format!("Filesystem 1024-blocks Used Available Capacity Mounted on\n{device} 24684016 227424 24456592 1% /dev/shm\n")
        };
        assert_eq!(free_kibibytes(&df("tmpfs")), Some(24_456_592));
        assert_eq!(free_kibibytes(&df("shm")), Some(24_456_592));
        assert_eq!(free_kibibytes(&df("/dev/vda")), None);
        assert_eq!(free_kibibytes("df: no such folder"), None);
    }
}
