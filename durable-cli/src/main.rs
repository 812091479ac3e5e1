//! The program `durable`; the library of this crate has everything.

use std::process::ExitCode;

fn main() -> ExitCode {
    durable_cli::main()
}
