//! Tests of durable workflows: on the real engine and a real Postgres, with a clock that the test turns.
//!
//! `#[durable_test::test]` gives a test a database of its own, a copy of a template on a private Postgres that the first test
//! starts. Tests run in parallel and share nothing. The clock of the database is stopped: time passes only when the test says so,
//! and never while a step runs. So a workflow of thirty days takes some milliseconds.
//!
//! ```test_harness
//! use durable::prelude::*;
//! use durable_test::{Moment, Test, body, step};
//!
//! struct Trial { mailer: String }
//!
//! #[workflow]
//! impl Trial {
//!     async fn run(&self, cx: &Context, customer: String) -> Result<String> {
//!         self.welcome(&customer).await?;
//!         cx.sleep(days(30)).await?;
//!         self.charge(&customer).await
//!     }
//!
//!     #[step]
//!     async fn welcome(&self, customer: &str) -> Result<()> {
//!         println!("{} writes to {customer}", self.mailer);
//!         Ok(())
//!     }
//!
//!     #[step(retry(max_attempts = 3, base = "1h"))]
//!     async fn charge(&self, customer: &str) -> Result<String> {
//!         Err(Error::new(format!("no bank in a test charges {customer}")))
//!     }
//! }
//!
//! #[durable_test::test]
//! async fn a_trial_is_charged_after_a_month(test: Test) -> Result<()> {
//!     test.worker()
//!         .register(Trial { mailer: "test".to_owned() })
//!         .replace(body!(Trial::charge, |customer| async move { Ok(format!("payment of {customer}")) }))
//!         .fail(step!(Trial::charge), 2, "the bank does not answer")
//!         .start()
//!         .await?;
//!     let trial = test.start::<Trial>("ada".to_owned()).await?;
//!     trial.until_waiting_for("sleep").await?;
//!     test.crash_at(step!(Trial::charge), Moment::AfterBody);
//!     test.advance(days(30)).await?; // the sleep ends, and the first attempt fails
//!     assert_eq!(trial.result().await?, "payment of ada"); // two hours, two retries and a crash later
//!     trial.assert_journal(["step welcome", "sleep", "step charge"]).await
//! }
//! ```
//!
//! - [`Test`] is what a test works with: workers, executions, the clock, crashes.
//! - [`WorkerBuilder`] registers workflows, and replaces or fails their steps. [`body!`] and [`step!`] name steps; the compiler
//!   checks that they exist, and that a new body takes the same arguments and returns the same type.
//! - [`Execution`] waits, answers, and checks journals, attempts, waits and compensations. An error has the whole state.
//! - [`run`] is for test harnesses other than `#[test]`.
//!
//! # The database
//!
//! The server is a private Postgres, which `durable-postgres` starts and which lives on. It keeps its files in memory where that is
//! possible, because most of a test's time was spent on files. To use another one, set
//! `DURABLE_TEST_DATABASE_URL`; its role must be allowed to create databases. Each test drops its database, also when it fails.
//! What a killed test leaves is dropped by a later run. Within one process, as many tests run at once as the server has
//! connections for.

mod clock;
mod crash;
mod database;
mod execution;
mod rest;
mod run;
mod script;
mod server;
mod state;
mod test;
mod worker;

pub use clock::{Advanced, Due, Fired};
pub use crash::Crash;
#[doc(inline)]
pub use durable_macros::{replace_step as body, step_key as step, test};
pub use execution::Execution;
pub use run::{Outcome, run};
pub use script::Moment;
pub use test::Test;
pub use worker::{Worker, WorkerBuilder};
