//! The operating system user that server programs run as: the invoking one, or another where that is root.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use crate::Error;

/// Users to become when started as root, best first: the one made for this purpose, then the one that owns nothing.
const STAND_INS: [&str; 3] = ["postgres", "_postgres", "nobody"];

/// Who runs the server programs, and on whose behalf.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    invoker: u32,
    stand_in: Option<SystemUser>,
}

#[derive(Clone, Debug, PartialEq)]
struct SystemUser {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account for this process: itself, unless it runs as root, which PostgreSQL refuses.
    pub(crate) fn of_this_process() -> Result<Self, Error> {
        let invoker = effective_uid()?;
        let stand_in = match invoker {
            0 => Some(find_stand_in()?),
            _ => None,
        };
        Ok(Self { invoker, stand_in })
    }

    /// The uid of the invoking user, who owns everything but the server's own files.
    pub(crate) fn invoker(&self) -> u32 {
        self.invoker
    }

    pub(crate) fn invoked_by_root(&self) -> bool {
        self.stand_in.is_some()
    }

    /// A command that runs as this account, with an environment that says nothing about other servers.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        // The caller's folder may be closed to the stand-in.
        command.current_dir("/").stdin(Stdio::null());
        // Ctrl-C in the caller's terminal must not reach the server, nor leave it half stopped.
        command.process_group(0);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"PG")) {
            command.env_remove(name);
        }
        // Some messages are read by `server`, in English.
        command.env("LC_ALL", "C");
        if let Some(user) = &self.stand_in {
            // Supplementary groups are dropped by the standard library when root changes the uid.
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Hands a file or folder of the invoking user to the server.
    pub(crate) fn give(&self, path: &Path) -> Result<(), Error> {
        match &self.stand_in {
            None => Ok(()),
            Some(user) => chown(path, Some(user.uid), Some(user.gid)).map_err(Error::io(format!(
                "give {} to user {}",
                path.display(),
                user.name
            ))),
        }
    }

    /// Fails where a parent of `folder` is closed to the stand-in, as the home of root is.
    pub(crate) fn check_can_enter(&self, folder: &Path) -> Result<(), Error> {
        let Some(user) = &self.stand_in else {
            return Ok(());
        };
        let doing = format!("enter {} as user {}", folder.display(), user.name);
        let status = self
            .command("/bin/sh")
            .args(["-c", r#"cd "$1" 2>/dev/null"#, "sh"])
            .arg(folder)
            .status()
            .map_err(Error::io(doing.as_str()))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::refused(
            doing,
            "the server runs as that user because PostgreSQL refuses root; choose a folder that everybody can enter, such as one in /var/tmp",
        ))
    }
}

/// Asks `id`, which every Unix has; the standard library cannot say.
fn effective_uid() -> Result<u32, Error> {
    let doing = "ask `id -u` for the current user";
    let output = Command::new("id").arg("-u").stdin(Stdio::null()).output().map_err(Error::io(doing))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| Error::refused(doing, format!("it answered `{}`", text.trim())))
}

fn find_stand_in() -> Result<SystemUser, Error> {
    let passwd = fs::read_to_string("/etc/passwd").map_err(Error::io("read /etc/passwd"))?;
    STAND_INS.iter().find_map(|name| find_user(&passwd, name)).ok_or_else(|| {
        Error::refused(
            "run a PostgreSQL server as root",
            "PostgreSQL refuses that, and /etc/passwd has neither a user `postgres` nor `nobody` to run it as; run as another user or set DATABASE_URL",
        )
    })
}

fn find_user(passwd: &str, name: &str) -> Option<SystemUser> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(name);
        let uid = parse_id(fields.nth(1)?)?;
        let gid = parse_id(fields.next()?)?;
        (found && uid != 0).then(|| SystemUser { name: name.to_owned(), uid, gid })
    })
}

/// Ids may be written negative: macOS has `nobody:*:-2:-2`.
fn parse_id(text: &str) -> Option<u32> {
    text.parse::<u32>().ok().or_else(|| Some(text.parse::<i32>().ok()?.cast_unsigned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\nbroken\nnobody:*:-2:-2::/:/bin/false\npostgres:x:101:104:PostgreSQL,,,:/var/lib:/bin/bash\n";

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let user = find_user(PASSWD, "postgres").unwrap();
        assert_eq!((user.uid, user.gid), (101, 104));
        assert_eq!(find_user(PASSWD, "postgre"), None);
    }

    #[test]
    fn negative_ids_wrap_around() {
        assert_eq!(find_user(PASSWD, "nobody").unwrap().uid, u32::MAX - 1);
    }

    #[test]
    fn root_is_no_stand_in() {
        assert_eq!(find_user("postgres:x:0:0::/:/bin/sh\n", "postgres"), None);
    }
}
