//! Fires schedules that are due. Every worker does so for every schedule, whether or not it knows the workflow: the database lets
//! each due time of a schedule fire once, so no worker needs to lead.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::{Error, Result};
use crate::panics;
use crate::plan::schedule::{Timing, start_at};
use crate::store;
use crate::store::schedules::{self, DueSchedule, DueSchedules, Fired, Shot};
use crate::telemetry;
use crate::worker::Worker;

/// Most schedules fired by one statement.
const BATCH: i64 = 500;

/// Most due times in one statement. A single schedule may exceed it: after long downtime it can have 1000 to catch up on.
const MOST_DUE_TIMES: usize = 2_000;

/// Pause after a look that came too early.
const PAUSE_WHEN_EARLY: Duration = Duration::from_millis(1);

/// What is left to do after a look.
enum Remaining {
    /// More is due already.
    More,
    /// Nothing before this time, as far as is known.
    Until(Option<DateTime<Utc>>),
}

/// Fires on time by a timer of this process, and at every poll interval due times that it was not notified of.
pub(crate) async fn fire_schedules(worker: Arc<Worker>) {
    let mut unreadable = HashSet::new();
    let mut thought_due = None;
    loop {
        let mut next_at = None;
        match fire_due(&worker, &mut unreadable).await {
            Ok(Remaining::More) => continue,
            Ok(Remaining::Until(next)) => {
                if next.is_some() && next == thought_due {
                    // This process's clock runs ahead of the database's: read it again rather than ask in a circle.
                    worker.clock.doubt();
                    tokio::time::sleep(PAUSE_WHEN_EARLY).await;
                }
                next_at = next;
            }
            Err(error) => tracing::debug!(%error, "cannot look at the schedules; trying again at the next poll"),
        }
        let due = async {
            match next_at {
                Some(next_at) => worker.clock.reached(next_at).await,
                None => std::future::pending().await,
            }
        };
        thought_due = tokio::select! {
            () = due => next_at,
            () = tokio::time::sleep(worker.options.poll_interval) => None,
            () = worker.signals.clock_turned.notified() => None,
            () = worker.signals.schedules_changed.notified() => None,
        };
    }
}

async fn fire_due(worker: &Worker, unreadable: &mut HashSet<String>) -> Result<Remaining, sqlx::Error> {
    let store = &worker.store;
    let DueSchedules { now, due, next_at } = schedules::due(store, &store.pool, BATCH).await?;
    let full = i64::try_from(due.len()).is_ok_and(|count| count >= BATCH);
    let mut shots = Vec::with_capacity(due.len());
    for schedule in due {
        // Odd times of one schedule may make the arithmetic panic.
        let aimed = panics::catch(|| aim(&schedule, now)).unwrap_or_else(|panicked| {
            store.health.unreadable("schedules", &schedule.name, &panicked.to_string());
            Err(Error::from_failure(*panicked))
        });
        match aimed {
            Ok(shot) => shots.push(shot),
            // One of a later release, perhaps, whose workers can read it.
            Err(error) if unreadable.insert(schedule.name.clone()) => {
                tracing::warn!(schedule = ?schedule.name, %error, "cannot fire a schedule; other workers may");
            }
            Err(_) => {}
        }
    }
    let next_at = shots.iter().filter_map(|shot| shot.next_due_at).chain(next_at).min();
    let mut fired = false;
    for shots in in_batches(shots) {
        fired |= fire(worker, &shots, now).await?;
    }
    Ok(if full && fired { Remaining::More } else { Remaining::Until(next_at) })
}

/// What to do about a schedule now.
fn aim(schedule: &DueSchedule, now: DateTime<Utc>) -> Result<Shot> {
    let timing = Timing::read(&schedule.rule, schedule.timezone.parse()?, schedule.starts_at, schedule.ends_at)?;
    let mut shot = Shot {
        name: schedule.name.clone(),
        revision: schedule.revision,
        was_due_at: schedule.next_due_at,
        next_due_at: schedule.next_due_at,
        due: Vec::new(),
    };
    // One that is not due has something in line that can start.
    if let Some(first) = schedule.next_due_at.filter(|first| *first <= now) {
        let firing = timing.fire(first, now, schedule.missed);
        shot.next_due_at = firing.next;
        shot.due = firing.due.into_iter().map(|due| (due, start_at(&schedule.name, due, schedule.jitter))).collect();
    }
    Ok(shot)
}

/// Each few enough for one statement.
fn in_batches(shots: Vec<Shot>) -> Vec<Vec<Shot>> {
    let mut batches: Vec<Vec<Shot>> = Vec::new();
    let mut room = 0;
    for shot in shots {
        match batches.last_mut().filter(|_| shot.due.len() <= room) {
            Some(batch) => {
                room -= shot.due.len();
                batch.push(shot);
            }
            None => {
                room = MOST_DUE_TIMES.saturating_sub(shot.due.len());
                batches.push(vec![shot]);
            }
        }
    }
    batches
}

/// Fires them in one statement; says whether that dealt with anything.
async fn fire(worker: &Worker, shots: &[Shot], now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let store = &worker.store;
    let fired = match schedules::fire(store, &store.pool, shots).await {
        // One that the database refuses must not keep the others from firing.
        Err(error) if shots.len() > 1 && !store::is_outage(&error) => fire_one_by_one(worker, shots).await,
        // The next look finds it due again.
        Err(error) if store::is_held_up(&error) => Fired::default(),
        fired => fired?,
    };
    worker.families.announce(&fired.cancelled).await;
    fired.cancelled.iter().for_each(|cancelled| worker.forget(cancelled.id));
    for firing in &fired.firings {
        telemetry::schedule_fired(&firing.schedule, firing.outcome, worker.clock.since(Some(firing.due_at)));
        worker.signals.observers.fired(firing);
    }
    // Those that start later wake by their timers.
    let later = shots.iter().flat_map(|shot| &shot.due).map(|(_, start)| *start).filter(|start| *start > now).min();
    later.into_iter().for_each(|start| worker.signals.set_timer(start));
    let queues: BTreeSet<&str> = fired.queues.iter().map(String::as_str).collect();
    queues.into_iter().for_each(|queue| worker.signals.queued(queue));
    Ok(!fired.firings.is_empty())
}

async fn fire_one_by_one(worker: &Worker, shots: &[Shot]) -> Fired {
    let store = &worker.store;
    let mut all = Fired::default();
    for shot in shots {
        match schedules::fire(store, &store.pool, std::slice::from_ref(shot)).await {
            Ok(fired) => {
                all.firings.extend(fired.firings);
                all.queues.extend(fired.queues);
                all.cancelled.extend(fired.cancelled);
            }
            Err(error) if store::is_held_up(&error) => {}
            Err(error) => tracing::warn!(schedule = ?shot.name, %error, "the database refuses to fire a schedule; trying again"),
        }
    }
    all
}
