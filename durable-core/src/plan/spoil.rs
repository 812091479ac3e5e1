//! Deliberate breaks of the execution in memory: the simulation must find each of them. Outside unit tests there are none.

#[cfg(test)]
use std::cell::Cell;

/// A break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoil {
    /// The journal says that nothing is recorded.
    ForgetOutcomes,
    /// The journal says that there was no attempt.
    ForgetAttempts,
    /// The outbox sends a checkpoint twice.
    SendTwice,
    /// The outbox does not note that a write is committed.
    ForgetCommits,
    /// A new wait is not registered.
    ForgetWaits,
    /// The future of a wait that is over is not woken.
    ForgetWakers,
    /// An execution parks although a step of it runs.
    ParkWhileBusy,
    /// A step begins although the lease is over.
    IgnoreLease,
    /// A flush leaves out the waits that were dropped: what they have received does not go back to the mailbox.
    ForgetDrops,
    /// A message that a losing branch has received and has not gone on from does not go back to the mailbox.
    KeepUnused,
    /// The journal says that no compensation is recorded.
    ForgetUndone,
    /// A rollback undoes the first step first.
    UndoInOrder,
    /// A completed step is not enlisted for a rollback.
    ForgetToEnlist,
    /// A completed child is not enlisted for a rollback.
    ForgetToEnlistChildren,
    /// A rollback does not look for children whose end the code has not looked at.
    ForgetUnreadChildren,
    /// The code goes on before a child that took too long is cancelled.
    LeaveLateChildren,
    /// A rollback does not undo a step that was cut off in a branch which lost.
    ForgetPassedOver,
    /// A message that the code cannot use is not given back, and its wait stays closed.
    ForgetRefusals,
    /// A transaction that was rolled back counts as committed.
    TrustUndone,
    /// A worker forgets that it may hold more than it knows.
    ForgetDoubts,
    /// An execution that continues as new has the idempotency keys of its earlier iterations.
    KeepNamespace,
    /// The journal says that no version of a change is recorded.
    ForgetVersions,
    /// A node is decided although a node that it waits for is not.
    MixRevisions,
    /// The run of a node goes on although what it takes has changed, and its result counts.
    KeepSuperseded,
    /// The failure of a node does not fail the execution.
    ForgetFailures,
    /// Nodes that are different after a run are not written.
    ForgetNodes,
    /// A graph completes without looking for changes that were accepted.
    CompleteUnclosed,
    /// A claim that arrives while an earlier one is active is dropped when that one ends.
    ForgetNextClaim,
}

/// Whether the test that runs on this thread breaks this.
#[cfg(not(test))]
pub(crate) const fn is_spoiled(_what: Spoil) -> bool {
    false
}

/// Whether the test that runs on this thread breaks this.
#[cfg(test)]
pub(crate) fn is_spoiled(what: Spoil) -> bool {
    SPOILED.get() == Some(what)
}

#[cfg(test)]
thread_local! {
    static SPOILED: Cell<Option<Spoil>> = const { Cell::new(None) };
}

/// Breaks this for as long as `test` runs, on this thread.
#[cfg(test)]
pub(crate) fn spoil<T>(what: Spoil, test: impl FnOnce() -> T) -> T {
    SPOILED.set(Some(what));
    let tested = test();
    SPOILED.set(None);
    tested
}
