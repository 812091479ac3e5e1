//! Claims due executions of one queue, a batch at a time.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::Worker;
use super::process::Process;
use super::take_up::{stop_each_unreadable, take_up};
use crate::signals::{Slot, Slots};
use crate::store::executions::Claim;
use crate::store::{self, Pauses, Session, executions};
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
                worker.store.watched.note(claim.executions.iter().map(|claimed| claimed.id));
                let mut held = held.into_iter();
                take_up(&worker, claim.executions.into_iter().zip(held.by_ref()));
                stop_each_unreadable(&worker, claim.unreadable);
                drop(claiming);
                held.for_each(Slot::give_back);
            }
            Err(error) => {
                next = Next::AtOnce;
                held.into_iter().for_each(Slot::give_back);
                drop(claiming);
                if !store::is_held_up(&error) {
                    // The claim may have been committed and its answer lost.
                    worker.held().doubt_claim();
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
