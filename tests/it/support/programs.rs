//! Programs of other people that tests run against; a test whose program is missing says so, and is skipped.

use std::path::PathBuf;

/// The file of a program: in one of the folders of `PATH`, or in those that ordinary users have not always in theirs.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder: PathBuf| folder.join(name)).find(|file| file.is_file())
}

/// The library that gives a process another time than the machine's.
pub(crate) fn libfaketime() -> Option<PathBuf> {
    let by_architecture = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = by_architecture.chain(["/usr/lib".into(), "/usr/local/lib".into()]);
    folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|file| file.is_file())
}

/// Says that a test was skipped, past the harness, which keeps to itself what a test that passes has printed.
pub(crate) fn skipped(what: &str, cure: &str) {
    use std::io::Write;
    let line = format!("skipped: no {what} on this machine ({cure})\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Whether the tests run as root, as whom servers refuse to run.
pub(crate) fn is_root() -> bool {
    let output = std::process::Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}
