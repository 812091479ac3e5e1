//! The engine of `durable`. Applications use the crate `durable`, which re-exports what is public here.
//!
//! Modules in reading order; each uses only those before it, and a test says so.

pub mod duration;
pub mod error;
mod panics;

pub mod ids;

pub mod calendar;
mod clock;
pub mod payload;
mod shell;

pub mod model;
mod plan;

pub mod telemetry;

mod supervision;

pub mod observer;

pub mod testing;

mod store;

mod running;

pub mod context;

mod families;
mod registry;
mod signals;
mod upkeep;
mod worker;

pub mod client;

#[cfg(test)]
mod simulation;

#[doc(hidden)]
pub mod __macro;
