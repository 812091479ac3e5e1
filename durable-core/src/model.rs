//! Executions, steps and waits as plain data, and which state may follow which.

mod execution;
mod journal;
mod wait;

pub use execution::{Attempt, AttemptOutcome, Execution, ExecutionDetails, ExecutionState, Step};
pub use wait::{Bond, PendingInput, Wait, WaitKind, WaitOutcome};

pub(crate) use execution::Claimed;
pub(crate) use journal::{Checkpoint, FailedAttempt, JournalRecords, Outcome, Undoable};
pub(crate) use wait::{Due, NewChild, NewWait, RecordedWait, WaitDetails};
