//! Signals between the parts of a process and to other processes: work is queued, a timer is set, an execution ended.
//!
//! Signals only save time: every task that waits for a signal also looks for itself, at every poll interval. So nothing here
//! touches the database, except the tasks that send and receive notices.

mod hear;
mod results;
mod slots;
mod tell;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use crate::ids::ExecutionId;
use crate::model::QueueSlots;
use crate::observer::Observers;
use crate::store::executions::Finished;
use crate::store::families::EndedEarly;
use crate::store::messages::Effect;
use crate::store::notify::Notice;
use crate::telemetry::{self, Tracing};

pub(crate) use hear::hear;
pub(crate) use results::Results;
pub(crate) use slots::{Slot, Slots};
pub(crate) use tell::tell;

/// A process repeats which executions it watches at least this often.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_secs(30);

/// The signals of one process.
#[derive(Debug)]
pub(crate) struct Signals {
    /// Tells this process apart in notices, which come back to it.
    pub(crate) process: Uuid,
    outgoing: mpsc::UnboundedSender<Notice>,
    queues: HashMap<String, Arc<Slots>>,
    /// The nearest timer set here since the timers were last looked at.
    timer: Mutex<Option<DateTime<Utc>>>,
    pub(crate) timer_set: Notify,
    /// Schedules were made or changed: when they are due should be looked at again.
    pub(crate) schedules_changed: Notify,
    /// The database's clock was turned: it should be read again.
    pub(crate) clock_read: Notify,
    /// The clock was read again: every task that waits for a time should look.
    pub(crate) clock_turned: Notify,
    pub(crate) results: Results,
    /// Executions were rolled back or paused: what this process holds should be compared with the database.
    pub(crate) taken_back: Notify,
    to_runs: mpsc::UnboundedSender<RunSignal>,
    /// Whether notices of other processes arrive.
    hears: AtomicBool,
    /// The application's observers.
    pub(crate) observers: Observers,
    pub(crate) tracing: Tracing,
}

/// What runs of this process must learn.
#[derive(Debug)]
pub(crate) enum RunSignal {
    /// These executions were ended from outside: their runs stop.
    Ended(Vec<ExecutionId>),
    /// Waits of these executions are over: their runs look at them.
    Resolved(Vec<ExecutionId>),
}

impl Signals {
    /// Signals for these queues. Notices to other processes leave by `outgoing`, signals to the runs of this process by
    /// `to_runs`.
    pub(crate) fn new(
        queues: HashMap<String, Arc<Slots>>,
        outgoing: mpsc::UnboundedSender<Notice>,
        to_runs: mpsc::UnboundedSender<RunSignal>,
        observers: Observers,
        tracing: Tracing,
    ) -> Self {
        Self {
            process: Uuid::now_v7(),
            outgoing,
            queues,
            timer: Mutex::new(None),
            timer_set: Notify::new(),
            schedules_changed: Notify::new(),
            clock_read: Notify::new(),
            clock_turned: Notify::new(),
            results: Results::default(),
            taken_back: Notify::new(),
            to_runs,
            hears: AtomicBool::new(false),
            observers,
            tracing,
        }
    }

    /// The slots of a queue that this process works on.
    pub(crate) fn slots(&self, queue: &str) -> Option<&Arc<Slots>> {
        self.queues.get(queue)
    }

    /// Every queue that this process works on.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &Arc<Slots>> {
        self.queues.values()
    }

    /// How many slots of each queue are in use.
    pub(crate) fn slots_in_use(&self) -> Vec<QueueSlots> {
        let mut slots: Vec<QueueSlots> = self.queues().map(|slots| slots.details()).collect();
        slots.sort_unstable_by(|one, other| one.queue.cmp(&other.queue));
        slots
    }

    /// Something can be claimed from the queue: by this process if it has a slot free, by any otherwise.
    pub(crate) fn queued(&self, queue: &str) {
        if !self.poke(queue) {
            self.tell_queued(queue);
        }
    }

    /// More may be claimed from the queue than before: by this process and by all others.
    pub(crate) fn look_at(&self, queue: &str) {
        self.poke(queue);
        self.tell_queued(queue);
    }

    /// Something can be claimed from the queue, by others.
    pub(crate) fn tell_queued(&self, queue: &str) {
        self.tell(Notice::Queued(queue.to_owned()));
    }

    /// Lets this process look at the queue; says whether it can take something.
    pub(crate) fn poke(&self, queue: &str) -> bool {
        let Some(slots) = self.slots(queue) else { return false };
        slots.poke();
        slots.is_open() && slots.has_free()
    }

    /// Lets this process look at everything.
    pub(crate) fn poke_all(&self) {
        self.queues.values().for_each(|slots| slots.poke());
        self.timer_set.notify_one();
        self.schedules_changed.notify_one();
    }

    /// Schedules were made or changed: for this process and the others.
    pub(crate) fn schedules_changed(&self) {
        self.schedules_changed.notify_one();
        self.tell(Notice::SchedulesChanged);
    }

    /// An execution ended here: answers the handles that wait for it, here and in other processes.
    pub(crate) fn finished(&self, finished: &Finished) {
        self.results.deliver(finished);
        self.tell(Notice::Finished(vec![finished.id]));
    }

    /// Executions were ended from outside: the workers that run them should stop.
    pub(crate) fn cancelled(&self, ids: Vec<ExecutionId>) {
        self.tell(Notice::Finished(ids.clone()));
        self.ended(ids);
    }

    fn ended(&self, ids: Vec<ExecutionId>) {
        self.results.look_for(&ids);
        self.signal_runs(RunSignal::Ended(ids));
    }

    /// A wait of the execution is over, and the execution may be running: its run should look.
    pub(crate) fn resolved(&self, id: ExecutionId) {
        self.tell(Notice::Resolved(vec![id]));
        self.signal_runs(RunSignal::Resolved(vec![id]));
    }

    fn signal_runs(&self, signal: RunSignal) {
        // A pure client has no runs, and has dropped the receiver.
        let _ = self.to_runs.send(signal);
    }

    /// A message arrived: the execution is to be claimed, or its run should look.
    pub(crate) fn affected(&self, effect: &Effect) {
        match effect {
            Effect::Woke(queue) => self.queued(queue),
            Effect::Resolved(id) => self.resolved(*id),
            Effect::Kept => {}
        }
    }

    /// Executions were cancelled or are to be rolled back: stops the workers that run them, answers the clients that wait for
    /// them, and makes a worker claim the rollbacks.
    pub(crate) fn ended_early(&self, ended_early: &[EndedEarly]) {
        let ended: Vec<ExecutionId> =
            ended_early.iter().filter(|execution| execution.ended).map(|execution| execution.id).collect();
        ended_early.iter().filter(|execution| execution.ended).for_each(|execution| telemetry::cancelled(&execution.queue));
        if !ended.is_empty() {
            self.cancelled(ended);
        }
        let undone = ended_early.iter().filter(|execution| !execution.ended);
        let queues: BTreeSet<&str> = undone.map(|execution| execution.queue.as_str()).collect();
        if !queues.is_empty() {
            // Not by id: by the time this is heard, the same process may have claimed them anew.
            self.taken_back.notify_one();
            self.tell(Notice::RolledBack);
            queues.into_iter().for_each(|queue| self.queued(queue));
        }
    }

    /// Executions were paused: the workers that run them should let go of them.
    pub(crate) fn paused(&self) {
        self.taken_back.notify_one();
        self.tell(Notice::Paused);
    }

    /// Something is due at this time.
    pub(crate) fn set_timer(&self, at: DateTime<Utc>) {
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        if timer.is_none_or(|set| at < set) {
            *timer = Some(at);
            drop(timer);
            self.timer_set.notify_one();
        }
    }

    /// The nearest timer set since the last call.
    pub(crate) fn take_timer(&self) -> Option<DateTime<Utc>> {
        self.timer.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether notices of other processes arrive; otherwise polling alone finds what they did.
    pub(crate) fn hears(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }

    fn set_hears(&self, hears: bool) {
        self.hears.store(hears, Ordering::Relaxed);
        telemetry::delivering(hears);
    }

    pub(crate) fn tell(&self, notice: Notice) {
        // After a shutdown no notice is sent; other processes find out by polling.
        let _ = self.outgoing.send(notice);
    }
}
