//! The nodes of a graph as the macro writes them: what they take, how they are called, and the inputs of a start.

pub(crate) mod due;
pub(crate) mod flow;
pub(crate) mod inputs;
pub(crate) mod node;
pub(crate) mod parameters;
pub(crate) mod schema;
pub(crate) mod taken;

pub use due::Due;
pub use parameters::{Given, Latest, Settled};
