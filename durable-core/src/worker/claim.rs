//! Claims due executions of one queue, a batch at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::OwnedRwLockReadGuard;
use tokio::time::Instant;

use super::Worker;
use super::flow::Flow;
use crate::ids::{Epoch, ExecutionId};
use crate::model::{Claimed, JournalRecords};
use crate::signals::{Slot, Slots};
use crate::store::executions::Claim;
use crate::store::{self, Patience, Pauses, Session, executions, journal};
use crate::telemetry;

/// What a claim does, for log lines: fits after "cannot".
const CLAIM: &str = "claim executions";

/// Most executions in one claim: enough to make its cost small for each, few enough that a crash leaves little claimed.
const BATCH: usize = 500;

/// How long to wait for more slots to come free, when few are: a claim costs the same for one execution as for many.
const GATHERING: Duration = Duration::from_millis(1);

/// A claim goes out at once when this share of the slots is free.
const SHARE_FREE: usize = 4;

/// Claims from one queue until the worker drains or is deprecated.
pub(super) async fn claim_from(worker: Arc<Worker>, slots: Arc<Slots>, mut session: Session) {
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
        let asked = Instant::now();
        let claimed = claim(&worker, &mut session, &slots.queue, limit).await;
        slots.settle();
        match claimed {
            Ok(claim) => {
                roundtrip.record(asked.elapsed());
                pauses.report_recovery(CLAIM);
                next = Next::after(&claim, limit);
                begin(&worker, held, claim.executions, claiming);
            }
            Err(error) => {
                held.into_iter().for_each(Slot::give_back);
                drop(claiming);
                // The claim may have been committed and its answer lost.
                worker.claim_lost.notify_one();
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
    /// When something is heard of, or at the next poll.
    WhenPoked,
    /// Also at this time, when the rate of the queue lets more begin.
    At(DateTime<Utc>),
}

impl Next {
    /// There is more to claim where every slot was filled. Where there are limits, there may be: such a claim takes each key's
    /// share, and one that a rate has cut short has not looked at what goes on.
    fn after(claim: &Claim, limit: usize) -> Self {
        let by_shares = claim.retry_at.is_some() || claim.executions.iter().any(|execution| execution.limited);
        if claim.executions.len() == limit || (by_shares && !claim.executions.is_empty()) {
            return Self::AtOnce;
        }
        claim.retry_at.map_or(Self::WhenPoked, Self::At)
    }
}

/// A full queue is looked at when a slot comes free; an idle one at every poll interval, whatever was missed.
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
        () = tokio::time::sleep(worker.options.poll_interval) => {}
    }
}

async fn claim(worker: &Worker, session: &mut Session, queue: &str, limit: usize) -> Result<Claim, sqlx::Error> {
    let room = i32::try_from(limit).unwrap_or(i32::MAX);
    let mut connection = session.connection().await?;
    let claim = executions::claim(session.store(), &mut connection, worker.id(), queue, room, &worker.known).await;
    session.give_back(connection, claim)
}

/// Runs what was claimed: what is in memory goes on at once, the rest after one look at their journals.
fn begin(worker: &Arc<Worker>, slots: Vec<Slot>, claimed: Vec<Claimed>, claiming: OwnedRwLockReadGuard<()>) {
    let mut resumed = Vec::new();
    let mut slots = slots.into_iter();
    for (claimed, slot) in claimed.into_iter().zip(slots.by_ref()) {
        let fresh = claimed.epoch == Epoch::FIRST && claimed.rollback.is_none();
        let parked = if fresh { None } else { worker.parked().take(claimed.id) };
        match parked {
            _ if fresh => worker.spawn(slot, claimed, Begin::Fresh),
            Some(parked) if parked.goes_on_at(&claimed) => worker.spawn(slot, claimed, Begin::Cached(parked)),
            _ => resumed.push((slot, claimed)),
        }
    }
    slots.for_each(Slot::give_back);
    if !resumed.is_empty() {
        tokio::spawn(load_and_resume(worker.clone(), resumed, claiming));
    }
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

/// Loads journals, in one statement, and runs their executions.
async fn load_and_resume(worker: Arc<Worker>, resumed: Vec<(Slot, Claimed)>, _claiming: OwnedRwLockReadGuard<()>) {
    let ids = journals_wanted(resumed.iter().map(|(_, claimed)| claimed));
    let store = &worker.store;
    match store::run("load journals", Patience::Endless, || journal::load(store, &store.pool, &ids)).await {
        Ok(mut journals) => {
            for (slot, claimed) in resumed {
                let journal = take_journal(&mut journals, &claimed);
                worker.resume(slot, claimed, journal);
            }
        }
        Err(error) => {
            tracing::error!(%error, "cannot load journals; trying again when strays are looked for");
            worker.claim_lost.notify_one();
        }
    }
}

/// The executions whose journals are needed to run these: their own, and those of completed ones that they undo.
pub(super) fn journals_wanted<'claimed>(claimed: impl Iterator<Item = &'claimed Claimed>) -> Vec<ExecutionId> {
    claimed.flat_map(|claimed| [Some(claimed.id), claimed.undoes]).flatten().collect()
}

/// The journal that an execution runs over.
pub(super) fn take_journal(journals: &mut HashMap<ExecutionId, JournalRecords>, claimed: &Claimed) -> JournalRecords {
    let mut journal = journals.remove(&claimed.id).unwrap_or_default();
    if let Some(undone) = claimed.undoes.and_then(|undone| journals.remove(&undone)) {
        journal.checkpoints.extend(undone.checkpoints.into_iter().filter(|checkpoint| checkpoint.undo_order.is_some()));
    }
    journal
}

impl Worker {
    /// Runs an execution over its journal.
    pub(super) fn resume(self: &Arc<Self>, slot: Slot, claimed: Claimed, journal: JournalRecords) {
        self.spawn(slot, claimed, Begin::Replayed(journal));
    }
}
