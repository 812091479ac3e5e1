//! The graph form: what a workflow's nodes are, and how they depend on each other.

pub(crate) mod spec;
