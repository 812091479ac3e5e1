//! Telemetry: what a process tells of its work to those who run it.

mod meter;
mod metrics;
mod recorder;
mod spans;
mod traces;

pub(crate) use traces::work;
