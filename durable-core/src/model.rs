//! Executions, steps and waits as plain data, and which state may follow which.

mod execution;
mod journal;
mod wait;

pub use execution::{Attempt, AttemptOutcome, Execution, ExecutionDetails, ExecutionState, Step};
pub use wait::{PendingInput, Wait, WaitKind, WaitOutcome};

pub(crate) use execution::Claimed;
pub(crate) use journal::{Checkpoint, FailedAttempt, JournalRecords, Outcome};
pub(crate) use wait::{Due, NewWait, ResolvedWait};
