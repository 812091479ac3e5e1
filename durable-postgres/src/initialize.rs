//! Makes a cluster's data files, all of them or none: a half-made set has another name and is made again.

use std::{
    fs::{self, DirBuilder, File},
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use crate::{Error, folders, server::Site};

/// What an unfinished set of data files, and the password file that `initdb` reads, are named after.
const UNFINISHED: &str = "data.partial";

/// The role that owns everything, and its database.
pub(crate) const NAME: &str = "durable";

/// 128 random bits, as text that needs no escaping in a url.
const PASSWORD_BYTES: usize = 16;

/// The major version that made the data files; none if they are not there.
pub(crate) fn major_of_data_files(data: &Path) -> Result<Option<u32>, Error> {
    if !data.exists() {
        return Ok(None);
    }
    let doing = || format!("read {}/PG_VERSION", data.display());
    let text = fs::read_to_string(data.join("PG_VERSION")).map_err(Error::io(doing()))?;
    let major = text.trim().parse();
    major.map(Some).map_err(|_| Error::refused(doing(), format!("it says `{}`", text.trim())))
}

/// Makes the data files unless they exist, and returns the password of the role.
pub(crate) fn ensure_initialized(site: &Site) -> Result<String, Error> {
    ensure_made(site, folders::random_word(PASSWORD_BYTES)?, |unfinished, password| {
        run_initdb(site, unfinished, password)?;
        create_database(site, unfinished)
    })
}

/// Copies the data files from the server at a port unless they exist, to follow it; returns the password of the role.
pub(crate) fn ensure_copied(site: &Site, port: u16, password: &str) -> Result<String, Error> {
    ensure_made(site, password.to_owned(), |unfinished, password| run_basebackup(site, unfinished, port, password))
}

fn ensure_made(site: &Site, password: String, make: impl FnOnce(&Path, &str) -> Result<(), Error>) -> Result<String, Error> {
    remove_unfinished(&site.folder);
    let file = site.folder.join("password");
    if site.data.exists() {
        let text = fs::read_to_string(&file).map_err(Error::io(format!("read the password in {}", file.display())))?;
        return Ok(text.trim().to_owned());
    }
    folders::write_private(&file, &password)?;
    // A name of its own: a program whose application was killed may still be writing under the old one.
    let unfinished = site.folder.join(format!("{UNFINISHED}-{}", folders::random_word(4)?));
    let doing = || format!("make {}", unfinished.display());
    DirBuilder::new().mode(0o700).create(&unfinished).map_err(Error::io(doing()))?;
    site.account.give(&unfinished)?;
    make(&unfinished, &password)?;
    fs::rename(&unfinished, &site.data).map_err(Error::io(format!("make {}", site.data.display())))?;
    if site.durable {
        let folder = File::open(&site.folder).and_then(|folder| folder.sync_all());
        folder.map_err(Error::io(format!("write {} to disk", site.folder.display())))?;
    }
    Ok(password)
}

fn run_basebackup(site: &Site, data: &Path, port: u16, password: &str) -> Result<(), Error> {
    let mut basebackup = site.account.command(site.binaries.program("pg_basebackup"));
    basebackup.env("PGPASSWORD", password).args(["-h", "127.0.0.1", "-U", NAME, "-w", "-X", "stream", "-c", "fast", "-R"]);
    if !site.durable {
        basebackup.arg("--no-sync");
    }
    basebackup.arg("-p").arg(port.to_string()).arg("-D").arg(data);
    let doing = format!("copy the PostgreSQL cluster at port {port} into {}", site.folder.display());
    let output = basebackup.output().map_err(Error::io(doing.as_str()))?;
    check(doing, &output)
}

fn run_initdb(site: &Site, data: &Path, password: &str) -> Result<(), Error> {
    let mut password_file = data.as_os_str().to_owned();
    password_file.push(".password");
    let password_file = PathBuf::from(password_file);
    folders::write_private(&password_file, password)?;
    site.account.give(&password_file)?;
    let mut initdb = site.account.command(site.binaries.program("initdb"));
    initdb.args(["-U", NAME, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C"]);
    if !site.durable {
        initdb.arg("--no-sync");
    }
    initdb.arg("-D").arg(data).arg("--pwfile").arg(&password_file);
    let doing = format!("make a PostgreSQL cluster in {}", site.folder.display());
    let output = initdb.output().map_err(Error::io(doing.as_str()));
    fs::remove_file(&password_file).map_err(Error::io(format!("remove {}", password_file.display())))?;
    check(doing, &output?)
}

/// By the server's single-user mode: a client program is not among those that every package has.
fn create_database(site: &Site, data: &Path) -> Result<(), Error> {
    let doing = format!("create the database {NAME} in {}", site.folder.display());
    let mut server = site.account.command(site.binaries.program("postgres"));
    server.args(["--single", "-c", "exit_on_error=on"]);
    if !site.durable {
        server.args(["-c", "fsync=off"]);
    }
    server.arg("-D").arg(data).arg("postgres");
    let mut server =
        server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(Error::io(doing.as_str()))?;
    if let Some(mut input) = server.stdin.take() {
        // Where it fails the server has ended, and what it printed says more than a broken pipe does.
        let _ = writeln!(input, "create database {NAME}");
    }
    let output = server.wait_with_output().map_err(Error::io(doing.as_str()))?;
    check(doing, &output)
}

fn check(doing: String, output: &Output) -> Result<(), Error> {
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Program {
        doing,
        output: format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()),
        log: String::new(),
    })
}

/// As far as possible: an orphaned initdb may still be adding files, and what is left over goes next time.
fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let path = entry.path();
            let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
        }
    }
}
