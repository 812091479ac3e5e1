//! Graphs: nodes run when what they take is there, and again when it changes; on a real Postgres.

pub(crate) mod asking;
mod changing;
pub(crate) mod crashing;
pub(crate) mod delaying;
mod door;
mod evolving;
pub(crate) mod flowing;
mod history;
pub(crate) mod mapping;
pub(crate) mod observing;
mod refusing;
mod scenarios;
mod setting;
pub(crate) mod spelled;
pub(crate) mod ticking;
mod undoing;
