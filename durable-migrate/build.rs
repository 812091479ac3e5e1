//! Lists the files of `migrations`, `views` and `functions` for `src/history.rs`, in the order in which they are applied.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// An SQL file of this crate.
struct File {
    /// Its name without the ending.
    name: String,
    text: String,
}

fn main() -> Result<()> {
    let mut list = String::new();
    writeln!(list, "static MIGRATIONS: &[Migration] = &[")?;
    for file in files("migrations")? {
        let (version, name) = version_and_name(&file)?;
        writeln!(list, "Migration::new({version}, {name:?}, Kind::{}, {}),", kind(&file)?, included("migrations", &file))?;
    }
    writeln!(list, "];\nstatic VIEWS: &[View] = &[")?;
    for file in after_what_they_name(files("views")?) {
        writeln!(list, "View::new({:?}, {}),", file.name, included("views", &file))?;
    }
    writeln!(list, "];\nstatic FUNCTIONS: &[Function] = &[")?;
    for file in after_what_they_name(files("functions")?) {
        writeln!(list, "Function::new({:?}, {}),", file.name, included("functions", &file))?;
    }
    writeln!(list, "];")?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("history.rs"), list)?;
    Ok(())
}

/// The files of a folder, by their names.
fn files(folder: &str) -> Result<Vec<File>> {
    // A file that is added, renamed or deleted changes the folder; an edited file is noticed by `include_str!`, too.
    println!("cargo::rerun-if-changed={folder}");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        // Editors keep files of their own beside the one that they change.
        if name.is_some_and(|name| name.starts_with('.')) {
            continue;
        }
        let name = name.and_then(|name| name.strip_suffix(".sql"));
        let name = name.ok_or_else(|| format!("{} is not an SQL file; move it elsewhere", path.display()))?.to_owned();
        files.push(File { name, text: fs::read_to_string(&path)? });
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(files)
}

/// The number of a migration and what it does: 2 and `create_clock` of `0002_create_clock`.
fn version_and_name(File { name, .. }: &File) -> Result<(i32, &str)> {
    let parts = name.split_once('_').filter(|(number, _)| number.len() == 4);
    let version = parts.and_then(|(number, what)| Some((number.parse().ok()?, what)));
    version.ok_or_else(|| format!("migrations/{name}.sql is not named NNNN_verb_noun.sql").into())
}

/// The kind of a migration, which its first line begins with.
fn kind(File { name, text }: &File) -> Result<&'static str> {
    let kinds = [("-- expand: ", "Expand"), ("-- contract: ", "Contract"), ("-- breaking: ", "Breaking")];
    let kind = kinds.into_iter().find(|(opening, _)| text.starts_with(opening));
    let kind = kind.map(|(_, kind)| kind);
    kind.ok_or_else(|| {
        format!("migrations/{name}.sql does not begin with `-- expand: `, `-- contract: ` or `-- breaking: `").into()
    })
}

/// Orders the files. When Postgres creates what a file defines, it looks up what the file names: these files come first.
fn after_what_they_name(mut rest: Vec<File>) -> Vec<File> {
    let mut ordered = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let ready = |file: &File| !rest.iter().any(|other| names(file, other));
        // If all that are left name each other, Postgres says what is wrong with them.
        let next = rest.iter().position(ready).unwrap_or(0);
        ordered.push(rest.remove(next));
    }
    ordered
}

/// Whether a file names what another one defines, where Postgres looks it up: a body in PL/pgSQL is read when it runs.
fn names(file: &File, other: &File) -> bool {
    let body = if file.text.contains("language plpgsql") { file.text.find("as $$") } else { None };
    let text = &file.text[..body.unwrap_or(file.text.len())];
    let name = format!("durable.{}", other.name);
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
    file.name != other.name && text.match_indices(&name).any(|(at, _)| ends(&text[at + name.len()..]))
}

/// The expression for the text of a file.
fn included(folder: &str, File { name, .. }: &File) -> String {
    format!(r#"include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/{folder}/{name}.sql"))"#)
}
