//! The worker slots of one queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::model::QueueSlots;
use crate::telemetry::SlotGauges;

/// How many executions of a queue this process runs at once, and how many it does run.
#[derive(Debug)]
pub(crate) struct Slots {
    pub(crate) queue: String,
    limit: usize,
    used: AtomicUsize,
    /// The slots in use that a claim has reserved while it asks the database.
    reserved: AtomicUsize,
    /// No claim uses them any more.
    closed: AtomicBool,
    gauges: SlotGauges,
    poked: Notify,
}

/// A slot in use; free again when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    /// No task is notified when it is dropped: see [`Slot::give_back`].
    silent: bool,
}

impl Slots {
    pub(crate) fn new(queue: &str, limit: usize) -> Arc<Self> {
        Arc::new(Self {
            queue: queue.to_owned(),
            limit,
            used: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            gauges: SlotGauges::of(queue),
            poked: Notify::new(),
        })
    }

    /// How full the queue is here; beyond its limit while executions that this process holds already are resumed.
    pub(crate) fn details(&self) -> QueueSlots {
        let count = |slots: usize| u32::try_from(slots).unwrap_or(u32::MAX);
        let used = self.used.load(Ordering::Acquire).saturating_sub(self.reserved.load(Ordering::Acquire));
        QueueSlots { queue: self.queue.clone(), slots: count(self.limit), in_use: count(used) }
    }

    /// Tells the metrics how full the queue is here.
    pub(crate) fn measure(&self) {
        self.gauges.set(&self.details());
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn free(&self) -> usize {
        self.limit.saturating_sub(self.used.load(Ordering::Acquire))
    }

    pub(crate) fn has_free(&self) -> bool {
        self.free() > 0
    }

    /// Closes the queue for this process: nothing more is claimed, and work that is queued here is announced to other processes.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    /// Takes a slot, if one is free.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Slot> {
        let taken = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| (used < self.limit).then_some(used + 1));
        taken.ok().map(|_| Slot { slots: self.clone(), silent: false })
    }

    /// Takes up to `most` of the free slots for a claim, which settles them when it knows how many it needs.
    pub(crate) fn reserve(self: &Arc<Self>, most: usize) -> Vec<Slot> {
        let held: Vec<Slot> = (0..most).map_while(|_| self.take()).collect();
        self.reserved.store(held.len(), Ordering::Release);
        held
    }

    /// The claim knows: what it keeps is in use.
    pub(crate) fn settle(&self) {
        self.reserved.store(0, Ordering::Release);
    }

    /// Takes a slot even beyond the limit: for an execution that this process holds already.
    pub(crate) fn take_anyway(self: &Arc<Self>) -> Slot {
        self.used.fetch_add(1, Ordering::AcqRel);
        Slot { slots: self.clone(), silent: false }
    }

    pub(crate) fn poke(&self) {
        self.poked.notify_one();
    }

    pub(crate) async fn poked(&self) {
        self.poked.notified().await;
    }
}

impl Slot {
    /// Frees a slot that was reserved and not needed, without a poke: a claim that reserves every slot and finds nothing would
    /// otherwise be the reason for the next.
    pub(crate) fn give_back(mut self) {
        self.silent = true;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let used = self.slots.used.fetch_sub(1, Ordering::AcqRel);
        // Only a full queue waits for a slot.
        if used >= self.slots.limit && !self.silent {
            self.slots.poke();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::Slots;

    #[test]
    fn a_full_queue_is_looked_at_when_a_slot_comes_free_and_not_when_one_was_not_needed() {
        let slots = Slots::new("default", 2);
        let held = [slots.take().unwrap(), slots.take().unwrap()];
        assert!(slots.take().is_none());
        held.into_iter().for_each(super::Slot::give_back);
        assert!(slots.poked().now_or_never().is_none());
        assert_eq!(slots.free(), 2);

        let held = [slots.take().unwrap(), slots.take().unwrap()];
        drop(held);
        assert!(slots.poked().now_or_never().is_some());
    }
}
