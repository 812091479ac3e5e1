//! Counts the polls of a run, so that the heartbeat's thread can see a poll that does not return.

use std::sync::atomic::{AtomicU64, Ordering};

/// Twice the number of polls that have returned; one more while a poll is under way.
#[derive(Debug, Default)]
pub(crate) struct Polling(AtomicU64);

impl Polling {
    /// Counts a poll, which must not panic.
    pub(crate) fn count<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.0.fetch_add(1, Ordering::Release);
        let polled = poll();
        self.0.fetch_add(1, Ordering::Release);
        polled
    }

    /// The number of the poll that is under way, if there is one.
    pub(crate) fn under_way(&self) -> Option<u64> {
        let polls = self.0.load(Ordering::Acquire);
        (polls % 2 == 1).then_some(polls)
    }
}

#[cfg(test)]
mod tests {
    use super::Polling;

    #[test]
    fn a_poll_is_under_way_until_it_returns_and_the_next_has_another_number() {
        let polling = Polling::default();
        assert_eq!(polling.under_way(), None);
        let first = polling.count(|| polling.under_way());
        let second = polling.count(|| polling.under_way());
        assert!(first.is_some() && second.is_some() && first != second);
        assert_eq!(polling.under_way(), None);
    }
}
