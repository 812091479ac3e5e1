//! Runs one test: on a runtime and a database of its own, which is dropped whatever becomes of the test.

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, resume_unwind};

use durable::Result;
use futures_util::FutureExt as _;

use crate::database::Database;
use crate::server::Server;
use crate::test::Test;

/// What a test returns: nothing, or a `Result` with an error that can be shown.
pub trait Outcome {
    /// The message of the error.
    fn into_failure(self) -> Option<String>;
}

impl Outcome for () {
    fn into_failure(self) -> Option<String> {
        None
    }
}

impl<T, E: Display> Outcome for std::result::Result<T, E> {
    fn into_failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// Runs a test, as `#[durable_test::test]` does: with a database of its own, on a runtime of its own, which has one thread.
///
/// # Panics
/// If the test fails, with its name and the error; if it panics, with its panic. If there is no Postgres, with what to do about
/// it.
pub fn run<F, R>(name: &str, test: impl FnOnce(Test) -> F)
where
    F: Future<Output = R>,
    R: Outcome,
{
    if let Err(problem) = try_run(test) {
        fail(name, &problem);
    }
}

#[expect(clippy::panic, reason = "this is how a test fails")]
fn fail(name: &str, problem: &str) -> ! {
    panic!("{name}: {problem}")
}

fn try_run<F, R>(test: impl FnOnce(Test) -> F) -> std::result::Result<(), String>
where
    F: Future<Output = R>,
    R: Outcome,
{
    let server = Server::shared()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("failed to start a runtime: {error}"))?;
    let outcome = runtime.block_on(async {
        let _permit = server.permit().await;
        let database = Database::create(server).await?;
        let outcome = AssertUnwindSafe(on(&database, test)).catch_unwind().await;
        let dropped = database.drop().await;
        Ok(outcome.map(|outcome| outcome.map_err(|error| error.to_string()).and_then(|failure| failure.map_or(dropped, Err))))
    });
    // Tasks of engines that were dropped have nothing left to do.
    runtime.shutdown_background();
    match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(problem) => Err(problem),
    }
}

/// Runs the test on its database; returns why it failed.
async fn on<F, R>(database: &Database, test: impl FnOnce(Test) -> F) -> Result<Option<String>>
where
    F: Future<Output = R>,
    R: Outcome,
{
    let begun = Test::begin(database).await?;
    // Also if the test panics: its workers must not write to a database that is being dropped.
    let guard = Workers(begun.clone());
    let failure = test(begun).await.into_failure();
    let ended = guard.0.end();
    Ok(failure.or(ended.err().map(|error| error.to_string())))
}

/// Drops the workers of a test.
struct Workers(Test);

impl Drop for Workers {
    fn drop(&mut self) {
        // Of a test that has failed already, nothing more is to be said.
        let _ = self.0.end();
    }
}
