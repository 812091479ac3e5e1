//! The graph form: an impl block without `run` is driven here, from what is stored of its nodes.

pub(crate) mod door;
pub(crate) mod drive;
pub(crate) mod each;
mod messages;
mod node_run;
pub(crate) mod question;
pub(crate) mod stored;
