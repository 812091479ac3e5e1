//! The guide: how to write workflows, how to run them in production, what Durable guarantees, and what it costs.
//!
//! - Write workflows: [`workflows`] (start here), [`flows`], [`graphs`], [`waits`], [`children`], [`sagas`], [`transactions`], [`starts`],
//!   [`schedules`], [`queues`], [`progress`], [`tags`], [`values`], [`loops`], [`versions`], [`testing`].
//! - Run them: [`production`], [`dashboard`], [`observability`], [`repair`], [`telemetry`], [`keeping_house`].
//! - Trust them: [`guarantees`], [`performance`].
//!
//! The programs in `examples/` show the same features in use: `cargo run --example trip`, `expense`, `documents`, `agent`,
//! `shipments`, `transfer`, `schedule`, `newsletter`, `endless_loop`, `versioned`, `onboarding`, `pipeline`, `telemetry`, `trial`,
//! `order`.

#[doc = include_str!("guide/workflows.md")]
pub mod workflows {}

#[doc = include_str!("guide/flows.md")]
pub mod flows {}

#[doc = include_str!("guide/graphs.md")]
pub mod graphs {}

#[doc = include_str!("guide/waits.md")]
pub mod waits {}

#[doc = include_str!("guide/children.md")]
pub mod children {}

#[doc = include_str!("guide/sagas.md")]
pub mod sagas {}

#[doc = include_str!("guide/transactions.md")]
pub mod transactions {}

#[doc = include_str!("guide/starts.md")]
pub mod starts {}

#[doc = include_str!("guide/schedules.md")]
pub mod schedules {}

#[doc = include_str!("guide/queues.md")]
pub mod queues {}

#[doc = include_str!("guide/progress.md")]
pub mod progress {}

#[doc = include_str!("guide/tags.md")]
pub mod tags {}

#[doc = include_str!("guide/values.md")]
pub mod values {}

#[doc = include_str!("guide/loops.md")]
pub mod loops {}

#[doc = include_str!("guide/versions.md")]
pub mod versions {}

#[doc = include_str!("guide/testing.md")]
pub mod testing {}

#[expect(clippy::needless_doctest_main, reason = "a build script is a program")]
#[doc = include_str!("guide/production.md")]
pub mod production {}

#[doc = include_str!("guide/dashboard.md")]
pub mod dashboard {}

#[doc = include_str!("guide/observability.md")]
pub mod observability {}

#[doc = include_str!("guide/repair.md")]
pub mod repair {}

#[doc = include_str!("guide/telemetry.md")]
pub mod telemetry {}

#[doc = include_str!("guide/keeping_house.md")]
pub mod keeping_house {}

#[doc = include_str!("guide/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("guide/performance.md")]
pub mod performance {}
