//! The graph form: an impl block without `run`, whose parameters are its edges.

pub(crate) mod door;
pub(crate) mod drive;
pub(crate) mod inputs;
mod messages;
pub(crate) mod node;
pub(crate) mod parameters;
pub(crate) mod schema;
pub(crate) mod stored;
pub(crate) mod taken;

pub use parameters::{Given, Latest, Settled};
