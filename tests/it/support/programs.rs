//! Programs of other people that tests run against; a test whose program is missing says so, and is skipped.

use std::path::{Path, PathBuf};

/// The file of a program: in one of the folders of `PATH`, or in those that ordinary users have not always in theirs.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder: PathBuf| folder.join(name)).find(|file| file.is_file())
}

/// The first of the files that is there.
pub(crate) fn library(files: &[&str]) -> Option<PathBuf> {
    files.iter().map(Path::new).find(|file| file.is_file()).map(Path::to_owned)
}

/// Says that a test was skipped, past the harness, which keeps to itself what a test that passes has printed.
pub(crate) fn skipped(what: &str, package: &str) {
    use std::io::Write;
    let line = format!("skipped: no {what} on this machine (apt-get install {package})\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Whether the tests run as root, as whom servers refuse to run.
pub(crate) fn is_root() -> bool {
    let output = std::process::Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}
