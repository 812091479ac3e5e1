//! Graphs: nodes run when what they take is there, and again when it changes; on a real Postgres.

pub(crate) mod asking;
mod changing;
pub(crate) mod crashing;
mod evolving;
mod scenarios;
pub(crate) mod spelled;
pub(crate) mod ticking;
mod undoing;
