//! The graph form: a block without `run`, whose methods are nodes and whose parameters are edges.

pub(crate) mod check;
mod cycles;
mod each;
pub(crate) mod expand;
pub(crate) mod flows;
mod inputs;
pub(crate) mod model;
mod policy;
pub(crate) mod questions;
pub(crate) mod read;
mod resolve;
mod sets;

pub(crate) use inputs::inputs_type;
