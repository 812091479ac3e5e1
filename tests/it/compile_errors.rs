//! What the compiler tells a user: each file in `tests/ui` makes one mistake and is named after it.
//!
//! `TRYBUILD=overwrite` accepts the messages as they are. Compilers word things differently, so the messages are those of the
//! toolchain that the workspace names.

// Part of this binary too, so that clippy sees an expansion under the strictest lints; the compiler alone does not run clippy.
#[path = "../ui/pass/strict_lints.rs"]
mod strict_lints;

#[test]
fn each_mistake_is_explained_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn correct_workflows_compile_and_run() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn an_expansion_is_quiet_under_strict_lints() {
    strict_lints::main();
}
