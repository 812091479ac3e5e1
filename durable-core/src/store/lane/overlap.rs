//! When a lane begins a flush beside one that is in flight: when as many items are queued as that flush carries.
//!
//! If it began earlier, overlapping flushes would be smaller than flushes one after the other, so there would be more of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use tokio::sync::Notify;

/// Fewest items of a flush that overlaps another one: so many that the statement and its commit cost little beside the items.
const FEWEST: usize = 100;

/// Counts what callers queue, and wakes the lane when it is enough. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct Overlap(Arc<Missing>);

#[derive(Debug, Default)]
struct Missing {
    /// How many items are missing; zero or less if the lane does not wait for them.
    items: AtomicIsize,
    none: Notify,
}

impl Overlap {
    /// How many items are enough for a flush beside so many items in flight.
    pub(super) fn enough_beside(items: usize) -> usize {
        items.max(FEWEST)
    }

    /// Notes that a caller has queued an item.
    pub(super) fn count(&self) {
        if self.0.items.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.none.notify_one();
        }
    }

    /// Begins to count so many items. The count may miss an item that is queued at this moment; then the flush begins later.
    pub(super) fn wait_for(&self, items: usize) {
        self.0.items.store(isize::try_from(items).unwrap_or(isize::MAX), Ordering::Relaxed);
    }

    /// Returns when no item is missing. It may return too early.
    pub(super) async fn reached(&self) {
        self.0.none.notified().await;
    }
}
