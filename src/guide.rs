//! What a workflow can say, a page for each: flows, waits, children, sagas, transactions, starts, values, queues, schedules,
//! telemetry and keeping house.
//!
//! The programs in `examples/` show the same at work:
//! `cargo run --example trip`, `expense`, `documents`, `agent`, `shipments`, `transfer`, `schedule`, `telemetry`, `order`.

#[doc = include_str!("guide/flows.md")]
pub mod flows {}

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

#[doc = include_str!("guide/values.md")]
pub mod values {}

#[doc = include_str!("guide/queues.md")]
pub mod queues {}

#[doc = include_str!("guide/schedules.md")]
pub mod schedules {}

#[doc = include_str!("guide/telemetry.md")]
pub mod telemetry {}

#[doc = include_str!("guide/keeping_house.md")]
pub mod keeping_house {}
