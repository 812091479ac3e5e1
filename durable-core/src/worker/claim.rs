//! Claims due executions of one queue, a batch at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::Worker;
use super::conclude::Left;
use super::flow::Flow;
use super::holdings::Ready;
use crate::error::{ErrorKind, Failure, Result};
use crate::ids::{Epoch, ExecutionId};
use crate::model::{Claimed, JournalRecords};
use crate::payload::Payload;
use crate::running::hold::Verdict;
use crate::running::run::Run;
use crate::signals::{Slot, Slots};
use crate::store::executions::{Claim, Unreadable};
use crate::store::journal::Journals;
use crate::store::saves::{NextState, Save};
use crate::store::{self, Patience, Pauses, Session, executions, journal};
use crate::telemetry;

/// What a claim does, for log lines: fits after "cannot".
const CLAIM: &str = "claim executions";

/// Most executions in one claim: enough to make its cost small for each, few enough that a crash leaves little claimed.
const BATCH: usize = 500;

/// Most journals loaded by one statement. Executions begin only when all of these have arrived, and a journal may be large.
const JOURNALS_AT_ONCE: usize = 50;

/// How long to wait for more slots to come free, when few are: a claim costs the same for one execution as for many.
const GATHERING: Duration = Duration::from_millis(1);

/// A claim goes out at once when this share of the slots is free.
const SHARE_FREE: usize = 4;

/// Claims from one queue until the worker drains or is deprecated.
pub(super) async fn claim_from(worker: Arc<Worker>, slots: Arc<Slots>, session: &mut Session) {
    let mut next = Next::AtOnce;
    let mut pauses = Pauses::new();
    let roundtrip = telemetry::roundtrip(CLAIM);
    while worker.takes_work() {
        wait_for_work(&worker, &slots, next).await;
        if slots.free() < slots.limit() / SHARE_FREE {
            tokio::time::sleep(GATHERING).await;
        }
        let free = slots.free().min(BATCH);
        if free == 0 || !worker.takes_work() {
            continue;
        }
        let held = slots.reserve(free);
        let limit = held.len();
        let claiming = worker.begin_claim().await;
        if !worker.takes_work() {
            // A shutdown that saw no claim in flight relies on this.
            held.into_iter().for_each(Slot::give_back);
            continue;
        }
        let asked = Instant::now();
        let claimed = claim(&worker, session, &slots.queue, limit).await;
        slots.settle();
        match claimed {
            Ok(claim) => {
                roundtrip.record(asked.elapsed());
                pauses.report_recovery(CLAIM);
                if claim.retry_at.is_some_and(|retry_at| retry_at <= worker.clock.now()) {
                    worker.clock.doubt();
                }
                next = Next::after(&claim, limit);
                let mut held = held.into_iter();
                worker.take_up(claim.executions.into_iter().zip(held.by_ref()));
                worker.stop_unreadable(claim.unreadable);
                drop(claiming);
                held.for_each(Slot::give_back);
            }
            Err(error) => {
                next = Next::AtOnce;
                held.into_iter().for_each(Slot::give_back);
                drop(claiming);
                if !store::is_held_up(&error) {
                    // The claim may have been committed and its answer lost.
                    worker.holdings().doubt_claim();
                    worker.claim_lost.notify_one();
                }
                tokio::time::sleep(pauses.next(CLAIM, &error)).await;
            }
        }
    }
    slots.close();
}

/// When to claim again.
#[derive(Debug, Clone, Copy)]
enum Next {
    AtOnce,
    /// When the queue is poked.
    WhenPoked,
    /// Also at this time, when the rate of the queue lets more begin.
    At(DateTime<Utc>),
}

impl Next {
    /// There is more to claim where every slot was filled. Where there are limits, there may be: such a claim takes each key's
    /// share, and one that a rate has cut short has not looked at what goes on.
    fn after(claim: &Claim, limit: usize) -> Self {
        let by_shares = claim.retry_at.is_some() || claim.executions.iter().any(|execution| execution.limited);
        if claim.executions.len() + claim.unreadable.len() == limit || (by_shares && !claim.executions.is_empty()) {
            return Self::AtOnce;
        }
        claim.retry_at.map_or(Self::WhenPoked, Self::At)
    }
}

/// A full queue is looked at when a slot comes free; an idle one when it is poked. Missed work is found at every poll interval
/// by `upkeep/look_for_work.rs`, for all queues at once.
async fn wait_for_work(worker: &Worker, slots: &Slots, next: Next) {
    let due = match next {
        Next::AtOnce if slots.has_free() => return,
        Next::At(time) if slots.has_free() => Some(time),
        _ => None,
    };
    let due = async {
        match due {
            Some(time) => worker.clock.reached(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = slots.poked() => {}
        // This process's clock may run ahead of the database's.
        () = due => tokio::time::sleep(GATHERING).await,
    }
}

async fn claim(worker: &Worker, session: &mut Session, queue: &str, limit: usize) -> Result<Claim, sqlx::Error> {
    let room = i32::try_from(limit).unwrap_or(i32::MAX);
    let mut connection = session.connection().await?;
    let claim = executions::claim(session.store(), &mut connection, worker.id(), queue, room, &worker.known).await;
    session.give_back(connection, claim)
}

/// How an execution begins.
pub(super) enum Begin {
    /// It has never run: its journal is empty, and nothing need be read.
    Fresh,
    /// It goes on in memory.
    Cached(Flow),
    /// It runs from its start, over its journal.
    Replayed(JournalRecords),
}

impl Worker {
    /// Runs what was claimed, each once no earlier claim of the execution is at work here.
    pub(super) fn take_up(self: &Arc<Self>, claimed: impl IntoIterator<Item = (Claimed, Slot)>) {
        let (mut ready, mut over): (Vec<Ready>, Vec<Arc<Run>>) = Default::default();
        {
            let mut holdings = self.holdings();
            let life = self.id();
            // What was claimed in a life that was lost meanwhile belongs to whoever claims it now, who may be this worker.
            for (claimed, slot) in claimed.into_iter().filter(|(claimed, _)| claimed.worker == life) {
                let (begins, ends) = holdings.enter(claimed, slot);
                ready.extend(begins);
                over.extend(ends);
            }
        }
        over.iter().for_each(|run| run.end(Verdict::Lost));
        self.begin_each(ready);
    }

    /// Leaves an execution. Where it was claimed again meanwhile, that claim begins.
    pub(super) fn leave(self: &Arc<Self>, claimed: &Claimed, left: Left) {
        let (next, dropped) = self.holdings().leave(claimed, left);
        drop(dropped);
        self.begin_each(next);
        self.left.notify_waiters();
    }

    /// What is in memory goes on at once, the rest after one look at their journals.
    fn begin_each(self: &Arc<Self>, ready: impl IntoIterator<Item = Ready>) {
        let mut unread = Vec::new();
        for Ready { claimed, slot, flow } in ready {
            let fresh = claimed.epoch == Epoch::FIRST && claimed.rollback.is_none();
            match flow {
                _ if fresh => self.spawn(claimed, slot, Begin::Fresh),
                Some(flow) if flow.goes_on_at(&claimed) => self.spawn(claimed, slot, Begin::Cached(flow)),
                _ => unread.push((claimed, slot)),
            }
        }
        if !unread.is_empty() {
            tokio::spawn(self.clone().replay(unread));
        }
    }

    /// Runs executions over their journals, which are loaded in batches.
    async fn replay(self: Arc<Self>, mut unread: Vec<(Claimed, Slot)>) {
        while !unread.is_empty() {
            let rest = unread.split_off(unread.len().min(JOURNALS_AT_ONCE));
            self.replay_together(std::mem::replace(&mut unread, rest)).await;
        }
    }

    async fn replay_together(self: &Arc<Self>, unread: Vec<(Claimed, Slot)>) {
        let mut loaded = self.load_journals(unread.iter().map(|(claimed, _)| claimed)).await;
        for (claimed, slot) in unread {
            // One that cannot be read must not count against the others.
            let journal = match &mut loaded {
                Ok(loaded) => Ok(take_journal(loaded, &claimed)),
                Err(_) => self.load_journals([&claimed]).await.map(|mut alone| take_journal(&mut alone, &claimed)),
            };
            match journal {
                Ok(Ok(journal)) => self.spawn(claimed, slot, Begin::Replayed(journal)),
                Err(error) => {
                    tracing::error!(execution_id = %claimed.id, %error, "cannot load a journal; trying again soon");
                    self.leave(&claimed, Left::Refused);
                }
                Ok(Err(problem)) => {
                    self.stop(Unreadable { worker: claimed.worker, id: claimed.id, epoch: claimed.epoch, problem }).await;
                    self.leave(&claimed, Left::Noted);
                }
            }
        }
    }

    /// Stops executions that were claimed and cannot be read: a person has to repair the row and resume them.
    pub(super) fn stop_unreadable(self: &Arc<Self>, unreadable: Vec<Unreadable>) {
        for unreadable in unreadable {
            let worker = self.clone();
            tokio::spawn(async move { worker.stop(unreadable).await });
        }
    }

    async fn stop(&self, Unreadable { worker, id, epoch, problem }: Unreadable) {
        let message = format!("a row of it cannot be read ({problem}); repair the row, then resume the execution");
        let report = Failure::new(ErrorKind::Payload, message);
        let next = Some(NextState::Stopped(Payload(journal::failure_text(&report).into())));
        let (checkpoints, latest) = (Arc::default(), Arc::default());
        let save = Save { worker, id, epoch, checkpoints, next, latest, leaves_waits: false, again: false };
        if let Err(error) = self.ledger.save(save).await {
            tracing::error!(execution_id = %id, %error, "cannot stop an execution that cannot be read");
        }
    }

    /// The journals of executions, and of those that they undo.
    async fn load_journals(&self, claimed: impl IntoIterator<Item = &Claimed>) -> Result<Journals> {
        let ids: Vec<ExecutionId> =
            claimed.into_iter().flat_map(|claimed| [Some(claimed.id), claimed.undoes]).flatten().collect();
        let store = &self.store;
        store::run("load journals", Patience::Endless, || journal::load(store, &store.pool, &ids)).await
    }
}

/// The journal of an execution; `Err` with the problem if it cannot be read.
fn take_journal(journals: &mut Journals, claimed: &Claimed) -> Result<JournalRecords, String> {
    let mut journal = journals.remove(&claimed.id).transpose()?.unwrap_or_default();
    if let Some(undone) = claimed.undoes.and_then(|undone| journals.remove(&undone)).transpose()? {
        journal.checkpoints.extend(undone.checkpoints.into_iter().filter(|checkpoint| checkpoint.undo_order.is_some()));
    }
    Ok(journal)
}
