//! Follows the executions that this process watches: reads what changed, and hands it to their watchers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{self, Execution, Update};
use crate::plan::watching::{Known, Reading, Recorded};
use crate::signals::{Signals, WATCH_INTERVAL};
use crate::store::notify::Notice;
use crate::store::watched::Changes;
use crate::store::{Pauses, Store, look, watching};

/// What the duty does, for log lines: fits after "cannot".
const WHAT: &str = "read what changed of watched executions";

/// While notices arrive, everything that is watched is looked at once in so many poll intervals: this finds a change whose notice
/// was lost.
const POLLS: u32 = 30;

/// Pause between two looks, in which changes gather: short against the 5 ms in which a change should reach a watcher.
const PAUSE: Duration = Duration::from_millis(2);

/// Most executions in one look.
const BATCH: usize = 100;

/// Most watched executions in a process. They all go out in notices, and are all looked at, every interval.
const MOST_WATCHED: usize = 10_000;

/// Updates that a watcher may be behind before it gets a snapshot instead.
pub(crate) const BACKLOG: usize = 256;

/// A caller that wants to watch an execution.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) id: ExecutionId,
    pub(crate) updates: mpsc::Sender<Result<Update>>,
    /// Whether updates were left out because the watcher has fallen behind.
    pub(crate) is_behind: Arc<AtomicBool>,
}

/// The watchers of this process.
#[derive(Debug)]
pub(crate) struct Followers {
    subscriptions: mpsc::UnboundedReceiver<Subscription>,
    followed: HashMap<ExecutionId, Followed>,
}

/// One execution and its watchers.
#[derive(Debug, Default)]
struct Followed {
    known: Known,
    /// Whether the execution was read at all.
    is_known: bool,
    has_ended: bool,
    watchers: Vec<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    updates: mpsc::Sender<Result<Update>>,
    is_behind: Arc<AtomicBool>,
}

impl Followers {
    pub(crate) fn new(subscriptions: mpsc::UnboundedReceiver<Subscription>) -> Self {
        Self { subscriptions, followed: HashMap::new() }
    }

    /// Follows until the process shuts down.
    pub(crate) async fn follow(&mut self, store: &Store, signals: &Signals, poll_interval: Duration) {
        let mut pauses = Pauses::new();
        let interval = poll_interval.saturating_mul(POLLS).min(WATCH_INTERVAL);
        let mut next_look = Instant::now() + interval;
        loop {
            tokio::select! {
                subscription = self.subscriptions.recv() => match subscription {
                    Some(subscription) => {
                        self.subscribe(subscription, store, signals);
                        while let Ok(another) = self.subscriptions.try_recv() {
                            self.subscribe(another, store, signals);
                        }
                    }
                    None => return,
                },
                () = store.watched.changed() => {}
                () = tokio::time::sleep_until(next_look) => {
                    store.watched.recount();
                    store.watched.note_all();
                    self.announce(signals);
                }
            }
            let Changes { here, elsewhere, asked } = store.watched.take_changes();
            if !elsewhere.is_empty() {
                signals.tell(Notice::Changed(elsewhere.into_iter().collect()));
            }
            if asked {
                self.announce(signals);
            }
            let here: Vec<ExecutionId> = here.into_iter().collect();
            for batch in here.chunks(BATCH) {
                match self.look(store, batch).await {
                    Ok(()) => pauses.report_recovery(WHAT),
                    Err(error) => {
                        tokio::time::sleep(pauses.next(WHAT, &error)).await;
                        store.watched.note_heard(batch);
                    }
                }
            }
            self.forget_unwatched(store);
            next_look = Instant::now() + if signals.hears() { interval } else { poll_interval };
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn subscribe(&mut self, subscription: Subscription, store: &Store, signals: &Signals) {
        let Subscription { id, updates, is_behind } = subscription;
        if self.followed.len() >= MOST_WATCHED && !self.followed.contains_key(&id) {
            let problem =
                format!("this process watches {MOST_WATCHED} executions already; drop a watch, or watch in another process");
            // A new channel has room.
            let _ = updates.try_send(Err(Error::of_kind(ErrorKind::Conflict, problem)));
            return;
        }
        is_behind.store(true, Ordering::Release);
        self.followed.entry(id).or_default().watchers.push(Watcher { updates, is_behind });
        // Watched before it is read, or a change in between is missed.
        store.watched.watch(id);
        store.watched.note_heard(&[id]);
        signals.tell(Notice::Watching(signals.process, vec![id]));
    }

    /// Tells other processes which executions are watched here, so that they send notices of their changes.
    fn announce(&self, signals: &Signals) {
        if !self.followed.is_empty() {
            signals.tell(Notice::Watching(signals.process, self.followed.keys().copied().collect()));
        }
    }

    /// Reads what changed of these executions, and sends it to their watchers.
    async fn look(&mut self, store: &Store, ids: &[ExecutionId]) -> Result<(), sqlx::Error> {
        let ids: Vec<ExecutionId> = ids.iter().copied().filter(|id| self.followed.contains_key(id)).collect();
        // Read before the journals: then the end of an execution is sent after everything that led to it.
        let mut executions: HashMap<ExecutionId, (Execution, Recorded)> =
            watching::executions(store, &store.pool, &ids).await?.into_iter().map(|read| (read.0.id, read)).collect();
        let known = |id: &ExecutionId| Some((*id, &self.followed.get(id).filter(|followed| followed.is_known)?.known));
        let known: Vec<_> = executions.keys().filter_map(known).collect();
        let mut readings = if known.is_empty() { HashMap::new() } else { watching::changes(store, &store.pool, &known).await? };
        for id in ids {
            let Some(followed) = self.followed.get_mut(&id) else { continue };
            let read = executions.remove(&id);
            let is_there = match read {
                Some((execution, recorded)) => followed.update(store, &execution, recorded, readings.remove(&id)).await?,
                None => false,
            };
            if !is_there {
                followed.end(|| model::not_found(id));
            }
        }
        Ok(())
    }

    /// Forgets executions that nobody here watches any more, and those that have ended.
    fn forget_unwatched(&mut self, store: &Store) {
        self.followed.retain(|id, followed| {
            followed.watchers.retain(|watcher| !watcher.updates.is_closed());
            let is_over = followed.has_ended && followed.watchers.iter().all(Watcher::is_up_to_date);
            let stays = !followed.watchers.is_empty() && !is_over;
            if !stays {
                store.watched.forget(*id);
            }
            stays
        });
    }
}

impl Followed {
    /// Sends to the watchers what changed. A watcher that is new or has fallen behind gets a snapshot. Returns whether the execution
    /// exists.
    async fn update(
        &mut self,
        store: &Store,
        execution: &Execution,
        recorded: Recorded,
        reading: Option<Reading>,
    ) -> Result<bool, sqlx::Error> {
        self.has_ended = execution.state.is_finished();
        if self.is_known && self.known.continuations != execution.continuations {
            // The journal that the watchers know is gone.
            (self.known, self.is_known) = (Known::default(), false);
            self.watchers.iter().for_each(|watcher| watcher.is_behind.store(true, Ordering::Release));
        }
        let mut updates = Vec::new();
        let is_whole = match reading {
            Some(reading) => {
                updates = self.known.note(execution, reading);
                !self.known.lacks(&recorded)
            }
            None => false,
        };
        if is_whole && self.watchers.iter().all(Watcher::is_up_to_date) {
            self.send(updates);
        } else {
            let Some(details) = look::details(store, &store.pool, execution.id).await? else { return Ok(false) };
            self.has_ended = details.execution.state.is_finished();
            updates.extend(self.known.note_all(details.clone()));
            self.send(updates);
            self.is_known = true;
            let snapshot = Update::Snapshot(Box::new(details));
            self.watchers.iter().filter(|watcher| !watcher.is_up_to_date()).for_each(|watcher| watcher.catch_up(&snapshot));
        }
        self.known.seen = recorded.last;
        Ok(true)
    }

    /// Sends the updates to every watcher, the newest of the execution itself last: it may be the end.
    fn send(&self, updates: Vec<Update>) {
        let (mut executions, mut updates): (Vec<Update>, Vec<Update>) =
            updates.into_iter().partition(|update| matches!(update, Update::Execution(_)));
        updates.extend(executions.pop());
        self.watchers.iter().for_each(|watcher| watcher.send(&updates));
    }

    /// Sends the error to every watcher: there is nothing more to watch. A watcher without room gets it at the next look.
    fn end(&mut self, error: impl Fn() -> Error) {
        self.watchers.retain(|watcher| matches!(watcher.updates.try_send(Err(error())), Err(TrySendError::Full(_))));
    }
}

impl Watcher {
    fn is_up_to_date(&self) -> bool {
        !self.is_behind.load(Ordering::Acquire)
    }

    fn send(&self, updates: &[Update]) {
        for update in updates {
            if !self.is_up_to_date() {
                return;
            }
            if let Err(TrySendError::Full(_)) = self.updates.try_send(Ok(update.clone())) {
                self.is_behind.store(true, Ordering::Release);
            }
        }
    }

    fn catch_up(&self, snapshot: &Update) {
        if self.updates.try_send(Ok(snapshot.clone())).is_ok() {
            self.is_behind.store(false, Ordering::Release);
        }
    }
}
