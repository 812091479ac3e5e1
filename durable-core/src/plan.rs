//! Decisions without I/O: what is known goes in, what to do comes out.

pub(crate) mod ask_again;
pub(crate) mod divergence;
mod drawing;
pub(crate) mod graph;
pub(crate) mod journal_key;
pub(crate) mod nearest;
pub(crate) mod question;
pub(crate) mod retry;
pub(crate) mod retry_from;
pub(crate) mod rollback;
pub(crate) mod schedule;
pub(crate) mod spoil;
pub(crate) mod start_options;
pub(crate) mod watching;
