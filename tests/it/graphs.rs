//! Graphs: nodes run when what they take is there, and again when it changes; on a real Postgres.

mod changing;
pub(crate) mod crashing;
pub(crate) mod delaying;
mod evolving;
pub(crate) mod mapping;
mod scenarios;
pub(crate) mod spelled;
mod undoing;
