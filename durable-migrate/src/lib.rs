//! The Postgres schema of durable: its migrations, what applies them, and what checks them.
//!
//! Everything durable stores lives in one schema of your database, `durable` unless you name another. This crate creates
//! it and brings it up to date; nothing else does, least of all a worker at start: a worker that meets an older schema, or a newer one
//! from which something was taken away, refuses it and says what to run. Choose the way that suits your deployment:
//!
//! * from code: [`migrate`], then [`check`] or [`status`];
//! * from a build script: [`build()`] in your `build.rs`, with this crate under `[build-dependencies]`;
//! * from a shell: `cargo install durable-migrate --features cli`, then `durable-migrate migrate`;
//! * with your own tool: [`sql`] prints the script, for `psql` or for the migrations of the rest of your application;
//!   [`grants`] prints what a role that only runs workflows needs.
//!
//! ```no_run
//! use durable_migrate::SchemaName;
//!
//! # async fn example() -> Result<(), durable_migrate::Error> {
//! let report = durable_migrate::migrate("postgres://localhost/app", &SchemaName::default()).await?;
//! println!("{report}");
//! # Ok(())
//! # }
//! ```
//!
//! A migration runs on one connection of its own, in one transaction, under a lock that ends with the transaction: it
//! happens whole or not at all, and any number of processes may call [`migrate`] at the same time. What was applied is
//! recorded in two tables of the same schema, `migrations` and `function_digest`, shared with no other tool.
//!
//! Hosted databases often insist on TLS: turn on the feature `tls`.

pub mod build;

mod apply;
mod database;
mod error;
mod history;
mod ledger;
mod schema_name;
mod script;
mod status;

pub use apply::{Report, migrate};
pub use build::build;
pub use database::{Database, connect_options, describe_address, lacks_tls, unreachable};
pub use error::Error;
pub use history::{Function, History, Kind, Migration, VERSION, View, functions, migrations, views};
pub use schema_name::SchemaName;
pub use script::{grants, sql};
pub use status::{Applied, FunctionsState, SchemaVersion, Status, accept_version, check, status, version};
