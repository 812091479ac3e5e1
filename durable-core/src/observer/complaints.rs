//! What goes wrong with an observer: counted, and logged together.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Pause between two warnings about one observer: an observer that fails at every step must not fill the log.
const PAUSE: Duration = Duration::from_secs(10);

/// Something an observer did not do as it should.
#[derive(Debug, Clone, Copy)]
pub(super) enum Complaint {
    /// It missed a notification, because its queue is full.
    Dropped,
    /// A step began without its consent: it did not answer in time.
    Unanswered,
    /// It refused a step that had begun without its consent, or that cannot be refused.
    RefusedInVain,
    /// It panicked.
    Panicked,
}

/// The complaints about one observer.
#[derive(Debug)]
pub(super) struct Complaints {
    observer: &'static str,
    unreported: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    dropped: u64,
    unanswered: u64,
    refused_in_vain: u64,
    panicked: u64,
    /// When the last warning was logged.
    warned: Option<Instant>,
}

impl Complaints {
    pub(super) fn about(observer: &'static str) -> Self {
        Self { observer, unreported: Mutex::default() }
    }

    /// Counts it, and logs what was counted, unless that was done a moment ago.
    pub(super) fn note(&self, complaint: Complaint) {
        let mut counts = self.unreported();
        counts.add(complaint);
        if counts.warned.is_none_or(|warned| warned.elapsed() >= PAUSE) {
            let counted = counts.take();
            drop(counts);
            self.warn(&counted);
        }
    }

    /// Logs what was counted and not logged yet.
    pub(super) fn report_rest(&self) {
        let counted = self.unreported().take();
        if counted.any() {
            self.warn(&counted);
        }
    }

    fn warn(&self, counted: &Counts) {
        let Counts { dropped, unanswered, refused_in_vain, panicked, .. } = counted;
        tracing::warn!(
            observer = self.observer,
            dropped,
            unanswered,
            refused_in_vain,
            panicked,
            "an observer is too slow, or panics; executions go on without it"
        );
    }

    fn unreported(&self) -> MutexGuard<'_, Counts> {
        self.unreported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn add(&mut self, complaint: Complaint) {
        let count = match complaint {
            Complaint::Dropped => &mut self.dropped,
            Complaint::Unanswered => &mut self.unanswered,
            Complaint::RefusedInVain => &mut self.refused_in_vain,
            Complaint::Panicked => &mut self.panicked,
        };
        *count += 1;
    }

    fn any(&self) -> bool {
        self.dropped + self.unanswered + self.refused_in_vain + self.panicked > 0
    }

    /// The counts so far, which are about to be logged.
    fn take(&mut self) -> Self {
        std::mem::replace(self, Self { warned: Some(Instant::now()), ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complaint_is_logged_at_once_and_the_next_ones_together() {
        let complaints = Complaints::about("Somebody");
        complaints.note(Complaint::Panicked);
        assert!(!complaints.unreported().any());
        for _ in 0..3 {
            complaints.note(Complaint::Panicked);
        }
        complaints.note(Complaint::Dropped);
        let counts = complaints.unreported();
        assert_eq!((counts.panicked, counts.dropped), (3, 1));
        drop(counts);
        complaints.unreported().warned = Instant::now().checked_sub(PAUSE);
        complaints.note(Complaint::Unanswered);
        assert!(!complaints.unreported().any());
        complaints.note(Complaint::Unanswered);
        complaints.report_rest();
        assert!(!complaints.unreported().any());
    }
}
