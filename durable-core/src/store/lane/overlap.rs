//! When a lane begins a flush beside one that is in flight: when many items are queued.
//!
//! If it began with few, overlapping flushes would be smaller than flushes one after the other, so there would be more of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

use tokio::sync::Notify;

/// How many queued items are enough: about as many as a flush carries if flushes do not overlap and 500 executions write.
pub(super) const ENOUGH: usize = 200;

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
