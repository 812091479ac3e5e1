//! What the compiler tells a user: each file in `tests/ui` makes one mistake and is named after it.
//!
//! `TRYBUILD=overwrite` accepts the messages as they are. Each release of the compiler words some messages differently, so the
//! recorded messages are those of the release that `rust-version` in the workspace's manifest names.

use std::process::Command;

use crate::support::programs::skipped;

// Part of this binary too, so that clippy sees an expansion under the strictest lints; the compiler alone does not run clippy.
#[path = "../ui/pass/strict_lints.rs"]
mod strict_lints;
#[path = "../ui/pass/strict_lints_of_graphs.rs"]
mod strict_lints_of_graphs;
#[path = "../ui/pass/strict_lints_of_sets.rs"]
mod strict_lints_of_sets;

#[test]
fn each_mistake_is_explained_at_its_place() {
    const RECORDED_WITH: &str = env!("CARGO_PKG_RUST_VERSION");
    if !version_of_the_compiler().starts_with(&format!("rustc {RECORDED_WITH}.")) {
        let cure = format!("cargo +{RECORDED_WITH} test -p durable --test it compile_errors");
        return skipped(&format!("rustc {RECORDED_WITH}"), &cure);
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn correct_workflows_compile_and_run() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn an_expansion_is_quiet_under_strict_lints() {
    strict_lints::main();
    strict_lints_of_graphs::main();
    strict_lints_of_sets::main();
}

/// What the compiler says of itself, as in `rustc 1.95.0 (59807616e 2026-04-14)`.
fn version_of_the_compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
