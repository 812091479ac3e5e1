//! Takes up what was claimed: begins each claim once no earlier claim of its execution is active here, and leaves it when it
//! ends.

use std::sync::Arc;

use tracing::Instrument;

use super::begin::Begin;
use super::drive::Drive;
use super::ending::Left;
use super::held::Ready;
use super::process::Process;
use crate::error::{ErrorKind, Failure};
use crate::ids::{Epoch, ExecutionId};
use crate::model::{Claimed, JournalRecords};
use crate::panics;
use crate::payload::Payload;
use crate::running::hold::Verdict;
use crate::running::run::Run;
use crate::signals::Slot;
use crate::store::executions::Unreadable;
use crate::store::journal::{self, Journals};
use crate::store::saves::{NextState, Save};

/// Most journals loaded by one statement. Executions begin only when all of these have arrived, and a journal may be large.
const JOURNALS_AT_ONCE: usize = 50;

/// Runs what was claimed, each once no earlier claim of the execution is active here.
pub(crate) fn take_up<P: Process>(process: &Arc<P>, claimed: impl IntoIterator<Item = (Claimed, Slot)>) {
    let (mut ready, mut over): (Vec<Ready>, Vec<Arc<Run>>) = Default::default();
    {
        let mut held = process.held();
        let worker = process.worker_id();
        // A claim of a worker that was lost meanwhile does not count: any worker may have claimed its execution since.
        for (claimed, slot) in claimed.into_iter().filter(|(claimed, _)| claimed.worker == worker) {
            let (begins, ends) = held.enter(claimed, slot);
            ready.extend(begins);
            over.extend(ends);
        }
    }
    over.iter().for_each(|run| run.end(Verdict::Lost));
    begin_each(process, ready);
}

/// Ends everything that runs here, as if the process died: any worker continues it.
pub(crate) fn abandon<P: Process>(process: &P) {
    let running = process.held().end_all();
    running.iter().for_each(|run| run.end(Verdict::Lost));
    process.notify_left();
    let parked = process.held().forget_all();
    drop(parked);
}

/// Leaves an execution. If it was claimed again meanwhile, that claim begins.
fn leave<P: Process>(process: &Arc<P>, claimed: &Claimed, left: Left) {
    let (next, dropped) = process.held().leave(claimed, left);
    drop(dropped);
    begin_each(process, next);
    process.notify_left();
}

/// Code that is in memory continues at once; other executions begin after their journals are read.
fn begin_each<P: Process>(process: &Arc<P>, ready: impl IntoIterator<Item = Ready>) {
    let mut unread = Vec::new();
    for Ready { claimed, slot, flow } in ready {
        let fresh = claimed.epoch == Epoch::FIRST && claimed.rollback.is_none();
        match flow {
            _ if fresh => spawn(process, claimed, slot, Begin::Fresh),
            Some(flow) if flow.goes_on_at(&claimed) => spawn(process, claimed, slot, Begin::Cached(flow)),
            _ => unread.push((claimed, slot)),
        }
    }
    if !unread.is_empty() {
        tokio::spawn(replay(process.clone(), unread));
    }
}

/// Runs executions over their journals, which are loaded in batches.
async fn replay<P: Process>(process: Arc<P>, mut unread: Vec<(Claimed, Slot)>) {
    while !unread.is_empty() {
        let rest = unread.split_off(unread.len().min(JOURNALS_AT_ONCE));
        replay_together(&process, std::mem::replace(&mut unread, rest)).await;
    }
}

async fn replay_together<P: Process>(process: &Arc<P>, unread: Vec<(Claimed, Slot)>) {
    let all: Vec<ExecutionId> = unread.iter().flat_map(|(claimed, _)| to_read(claimed)).collect();
    let mut loaded = process.load_journals(&all).await;
    for (claimed, slot) in unread {
        // A journal that cannot be read must not count against the others.
        let journal = match &mut loaded {
            Ok(loaded) => Ok(take_journal(loaded, &claimed)),
            Err(_) => {
                let alone: Vec<ExecutionId> = to_read(&claimed).collect();
                process.load_journals(&alone).await.map(|mut alone| take_journal(&mut alone, &claimed))
            }
        };
        match journal {
            Ok(Ok(journal)) => spawn(process, claimed, slot, Begin::Replayed(journal)),
            Err(error) => {
                tracing::error!(execution_id = %claimed.id, %error, "cannot load a journal; trying again soon");
                leave(process, &claimed, Left::Refused);
            }
            Ok(Err(problem)) => {
                let unreadable = Unreadable { worker: claimed.worker, id: claimed.id, epoch: claimed.epoch, problem };
                stop_unreadable(process, unreadable).await;
                leave(process, &claimed, Left::Noted);
            }
        }
    }
}

/// The executions whose journals a claim needs: itself, and the one that it undoes.
fn to_read(claimed: &Claimed) -> impl Iterator<Item = ExecutionId> {
    std::iter::once(claimed.id).chain(claimed.undoes)
}

/// The journal of an execution; `Err` with the problem if it cannot be read.
fn take_journal(journals: &mut Journals, claimed: &Claimed) -> Result<JournalRecords, String> {
    let mut journal = journals.remove(&claimed.id).transpose()?.unwrap_or_default();
    if let Some(undone) = claimed.undoes.and_then(|undone| journals.remove(&undone)).transpose()? {
        journal.checkpoints.extend(undone.checkpoints.into_iter().filter(|checkpoint| checkpoint.undo_order.is_some()));
    }
    Ok(journal)
}

/// As [`stop_unreadable`], for several at once and in the background.
pub(super) fn stop_each_unreadable<P: Process>(process: &Arc<P>, unreadable: Vec<Unreadable>) {
    for unreadable in unreadable {
        let process = process.clone();
        tokio::spawn(async move { stop_unreadable(&process, unreadable).await });
    }
}

/// Stops an execution that was claimed and cannot be read: a person has to repair the row and resume it.
async fn stop_unreadable<P: Process>(process: &Arc<P>, Unreadable { worker, id, epoch, problem }: Unreadable) {
    let message = format!("a row of it cannot be read ({problem}); repair the row, then resume the execution");
    let report = Failure::new(ErrorKind::Payload, message);
    let next = Some(NextState::Stopped(Payload(journal::failure_text(&report).into())));
    let save =
        Save { worker, id, epoch, checkpoints: Arc::default(), next, latest: Arc::default(), leaves_waits: false, again: false };
    if let Err(error) = process.ledger().save(save).await {
        tracing::error!(execution_id = %id, %error, "cannot stop an execution that cannot be read");
    }
}

/// Runs an execution in a task of its own; the slot is free again when it parks or ends.
fn spawn<P: Process>(process: &Arc<P>, claimed: Claimed, slot: Slot, begin: Begin) {
    if !process.held().has(&claimed) {
        // It was claimed again while its journal was read, or the worker that claimed it was lost.
        return;
    }
    if claimed.claims > process.max_claims() {
        let process = process.clone();
        tokio::spawn(async move {
            let left = process.end_poisoned(&claimed).await;
            leave(&process, &claimed, left);
        });
        return;
    }
    let Some(registered) = process.registry().find(&claimed.workflow, claimed.version) else {
        tracing::error!(execution_id = %claimed.id, workflow = ?claimed.workflow, "claimed a workflow that is not registered");
        return leave(process, &claimed, Left::Refused);
    };
    let (drive, flow) = Drive::begin(process, registered, claimed, begin);
    let run = drive.run.clone();
    if !process.held().run(&run) {
        return;
    }
    if process.is_draining() {
        run.drain();
    }
    let hold = run.hold();
    let span = run.spans.claim(hold.worker, hold.epoch);
    // Boxed at once: a task is moved several times before it runs.
    let driven = Box::pin(async move {
        // The engine's own code may panic, too. Then the execution is claimed again, and the claim counts.
        let left = panics::catch_in(drive.run(flow)).await.unwrap_or_else(|panicked| {
            drive.process.note_panic(&panicked);
            Left::Refused
        });
        let Drive { process, claimed, .. } = drive;
        match left {
            Left::Continued(next) => go_on(&process, &claimed, *next, slot),
            left => {
                leave(&process, &claimed, left);
                drop(slot);
                make_room(&*process, &claimed);
            }
        }
    });
    tokio::spawn(async move {
        // The application's code: whatever becomes of it, the execution runs.
        if let Err(panicked) = panics::catch(|| run.trace.join(&span)) {
            tracing::error!(error = %panicked, "the application's propagation of traces panicked");
        }
        driven.instrument(span).await;
    });
}

/// Runs an execution that has begun anew, in the slot that it has.
fn go_on<P: Process>(process: &Arc<P>, claimed: &Claimed, next: Claimed, slot: Slot) {
    let begins = {
        let mut held = process.held();
        // As when a claim is taken up: another worker may hold what a lost worker held.
        next.worker == process.worker_id() && held.go_on(claimed, &next)
    };
    if begins {
        return spawn(process, next, slot, Begin::Fresh);
    }
    leave(process, claimed, Left::Refused);
    drop(slot);
    make_room(&**process, claimed);
}

/// An execution that a limit counted runs no longer: another one may begin.
pub(super) fn make_room<P: Process>(process: &P, claimed: &Claimed) {
    if claimed.limited {
        process.notify_queue(&claimed.queue);
    }
}
