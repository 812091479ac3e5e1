//! Brings a schema up to date while an application is built.

use std::io::Write;

use crate::error::command;
use crate::{Error, Report, SchemaName, migrate};

/// The environment variable with the name of the schema.
const SCHEMA_VARIABLE: &str = "DURABLE_SCHEMA";

/// Migrates the database of `DATABASE_URL` while the application is built; for your `build.rs`.
///
/// ```no_run
/// // All that the `main` of your build.rs needs:
/// durable_migrate::build();
/// ```
///
/// Where `DATABASE_URL` is not set, the build goes on with a warning that names the command to run instead. Where the
/// migration fails, the build fails and says why. The schema is `durable`, or the one that `DURABLE_SCHEMA` names.
/// Cargo runs it again when one of the two variables changes, or this crate does.
pub fn build() {
    Options::default().run();
}

/// What a build script migrates, where it is not what [`build()`] takes.
///
/// ```no_run
/// // In the `main` of your build.rs:
/// durable_migrate::build::Options::default().url_variable("BILLING_DATABASE_URL").run();
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    url_variable: String,
    schema: Option<SchemaName>,
}

impl Default for Options {
    fn default() -> Self {
        Self { url_variable: "DATABASE_URL".to_owned(), schema: None }
    }
}

impl Options {
    /// Takes the database url from this environment variable.
    #[must_use]
    pub fn url_variable(mut self, name: impl Into<String>) -> Self {
        self.url_variable = name.into();
        self
    }

    /// Migrates this schema, whatever `DURABLE_SCHEMA` says.
    #[must_use]
    pub fn schema(mut self, schema: SchemaName) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Migrates, or warns that it did not; ends the process, and with it the build, where that fails.
    pub fn run(self) {
        tell(&format!("rerun-if-env-changed={}", self.url_variable));
        tell(&format!("rerun-if-env-changed={SCHEMA_VARIABLE}"));
        let outcome = self.migrate(|variable| std::env::var(variable).ok().filter(|value| !value.trim().is_empty()));
        match outcome {
            Outcome::Migrated(_) => {}
            Outcome::Skipped(warning) => tell(&format!("warning={warning}")),
            Outcome::Failed(problem) => {
                tell(&format!("error=failed to {problem}"));
                std::process::exit(1);
            }
        }
    }

    fn migrate(&self, variable: impl Fn(&str) -> Option<String>) -> Outcome {
        let schema = match self.schema.clone().map_or_else(|| named_by(&variable), Ok) {
            Ok(schema) => schema,
            Err(error) => return Outcome::Failed(format!("{error} (from {SCHEMA_VARIABLE})")),
        };
        let Some(url) = variable(&self.url_variable) else {
            return Outcome::Skipped(format!(
                "{} is not set, so that the schema `{schema}` was not migrated; set it, or run `{}` before the program",
                self.url_variable,
                command(&schema)
            ));
        };
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return Outcome::Failed(format!("start a runtime for the migration: {error}"));
            }
        };
        match runtime.block_on(migrate(url.as_str(), &schema)) {
            Ok(report) => Outcome::Migrated(report),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }
}

#[derive(Debug)]
enum Outcome {
    Migrated(#[expect(dead_code, reason = "read by tests; a build that succeeds is silent")] Report),
    Skipped(String),
    Failed(String),
}

fn named_by(variable: impl Fn(&str) -> Option<String>) -> Result<SchemaName, Error> {
    variable(SCHEMA_VARIABLE).map_or_else(|| Ok(SchemaName::default()), |name| name.parse())
}

/// Tells Cargo something, which takes one line each.
fn tell(instruction: &str) {
    let line = instruction.replace(['\r', '\n'], " ");
    // Where Cargo does not listen any more, there is nobody to tell.
    writeln!(std::io::stdout(), "cargo::{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_url_the_build_goes_on_with_a_warning_that_names_the_command() {
        let outcome = Options::default().migrate(|_| None);
        let Outcome::Skipped(warning) = outcome else { panic!("{outcome:?}") };
        assert!(warning.starts_with("DATABASE_URL is not set"), "{warning}");
        assert!(warning.contains("`durable-migrate migrate`"), "{warning}");
    }

    #[test]
    fn the_variable_and_the_schema_can_be_chosen() {
        let options = Options::default().url_variable("BILLING_URL").schema("billing".parse().unwrap());
        let outcome = options.migrate(|_| None);
        let Outcome::Skipped(warning) = outcome else { panic!("{outcome:?}") };
        assert!(warning.starts_with("BILLING_URL is not set"), "{warning}");
        assert!(warning.contains("`durable-migrate --schema billing migrate`"), "{warning}");
    }

    #[test]
    fn a_name_that_cannot_be_a_schema_fails_the_build() {
        let outcome = Options::default().migrate(|name| (name == SCHEMA_VARIABLE).then(|| "Not A Name".to_owned()));
        let Outcome::Failed(problem) = outcome else { panic!("{outcome:?}") };
        assert!(problem.contains("`Not A Name`") && problem.ends_with("(from DURABLE_SCHEMA)"), "{problem}");
    }

    #[test]
    fn a_url_that_cannot_be_read_fails_the_build() {
        let outcome = Options::default().migrate(|name| (name == "DATABASE_URL").then(|| "not a url".to_owned()));
        let Outcome::Failed(problem) = outcome else { panic!("{outcome:?}") };
        assert!(problem.starts_with("read the database url"), "{problem}");
    }
}
