//! The checkpoints that an execution has left: not sent yet, sent in a write that is under way, committed, or refused.

use std::sync::Arc;

use super::reporting::StepEnd;
use crate::model::{Checkpoint, NewValue};
use crate::plan::spoil::{Spoil, is_spoiled};
use crate::store::saves::Written;

/// What one execution has to write. Checkpoints are numbered in the order in which they were left.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    unsent: Vec<Checkpoint>,
    /// The ends of steps among the unsent checkpoints. Observers learn of an end once it is committed.
    ends: Vec<StepEnd>,
    left: u64,
    sent: u64,
    /// The writes under way, in order: the number of the last checkpoint of each, and how many checkpoints were sent before it.
    in_flight: Vec<(u64, u64)>,
    committed: u64,
    refused: bool,
}

/// The checkpoints of one write.
#[derive(Debug, Default)]
pub(super) struct Parcel {
    pub(super) checkpoints: Arc<[Checkpoint]>,
    pub(super) ends: Vec<StepEnd>,
}

impl Outbox {
    /// Leaves a checkpoint for the next write.
    pub(super) fn leave(&mut self, checkpoint: Checkpoint) {
        self.left += 1;
        self.unsent.push(checkpoint);
    }

    /// Adds the checkpoint of a step. Observers learn of its end once it is committed.
    pub(super) fn leave_step(&mut self, checkpoint: Checkpoint, mut end: StepEnd) {
        end.place = self.unsent.len();
        self.ends.push(end);
        self.leave(checkpoint);
    }

    /// Adds values to the last checkpoint, if it has this key. Returns the values otherwise.
    pub(super) fn add_values(&mut self, key: &str, values: Vec<NewValue>) -> Option<Vec<NewValue>> {
        match self.unsent.last_mut().filter(|checkpoint| checkpoint.key == key) {
            Some(checkpoint) => {
                checkpoint.sets.extend(values);
                None
            }
            None => Some(values),
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Whether a value or a tag is among what was left: those outlive the journal.
    pub(super) fn has_unsent_value(&self) -> bool {
        self.unsent.iter().any(|checkpoint| !checkpoint.sets.is_empty() || checkpoint.tag.is_some())
    }

    /// Takes out what was left, for a write of its own; with the number by which the write is settled. `None` if there is
    /// nothing.
    pub(super) fn send(&mut self) -> Option<(u64, Parcel)> {
        if self.unsent.is_empty() {
            return None;
        }
        let before = std::mem::replace(&mut self.sent, self.left);
        self.in_flight.push((self.sent, before));
        Some((self.sent, self.take()))
    }

    /// Takes out what was left, for the write that ends the claim.
    pub(super) fn take(&mut self) -> Parcel {
        if is_spoiled(Spoil::SendTwice) {
            self.unsent.extend(self.unsent.first().cloned());
        }
        Parcel { checkpoints: self.unsent.drain(..).collect(), ends: std::mem::take(&mut self.ends) }
    }

    /// Notes the answer to a write. A later write may be answered before an earlier one that the database refused.
    pub(super) fn settle(&mut self, number: u64, written: Written) {
        self.in_flight.retain(|(last, _)| *last != number);
        match written {
            Written::Accepted if is_spoiled(Spoil::ForgetCommits) => {}
            Written::Accepted => {
                let all = self.in_flight.first().map_or(self.sent, |(_, before)| *before);
                self.committed = self.committed.max(all);
            }
            Written::Refused => self.refused = true,
        }
    }

    /// The number of the last checkpoint that was sent.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// Whether everything up to this number is committed, or something was refused; `None` while neither is known.
    pub(super) fn outcome(&self, number: u64) -> Option<Written> {
        if self.refused { Some(Written::Refused) } else { (self.committed >= number).then_some(Written::Accepted) }
    }

    /// Starts afresh after a refused write: it caused the rollback, whose own writes count.
    pub(super) fn start_afresh(&mut self) {
        self.in_flight.clear();
        if std::mem::take(&mut self.refused) {
            self.committed = self.sent;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Outcome;
    use crate::payload::Payload;

    fn leave(outbox: &mut Outbox) {
        outbox.leave(Checkpoint::of("step".to_owned(), Outcome::Output(Payload::null())));
    }

    #[test]
    fn a_write_that_overtakes_an_earlier_one_does_not_commit_it() {
        let mut outbox = Outbox::default();
        leave(&mut outbox);
        let (first, _) = outbox.send().unwrap();
        leave(&mut outbox);
        let (second, _) = outbox.send().unwrap();
        outbox.settle(second, Written::Accepted);
        assert_eq!((outbox.outcome(first), outbox.outcome(second)), (None, None));
        outbox.settle(first, Written::Accepted);
        assert_eq!(outbox.outcome(second), Some(Written::Accepted));
    }

    #[test]
    fn nothing_is_sent_twice() {
        let mut outbox = Outbox::default();
        assert!(outbox.send().is_none());
        leave(&mut outbox);
        leave(&mut outbox);
        assert_eq!(outbox.send().unwrap().1.checkpoints.len(), 2);
        assert!(!outbox.has_unsent() && outbox.send().is_none());
    }

    #[test]
    fn a_refusal_holds_until_the_rollback_that_it_causes() {
        let mut outbox = Outbox::default();
        leave(&mut outbox);
        let (first, _) = outbox.send().unwrap();
        outbox.settle(first, Written::Refused);
        assert_eq!(outbox.outcome(first), Some(Written::Refused));
        outbox.start_afresh();
        assert_eq!(outbox.outcome(first), Some(Written::Accepted));
        leave(&mut outbox);
        let (next, _) = outbox.send().unwrap();
        assert_eq!(outbox.outcome(next), None);
    }

    proptest! {
        /// In whatever order writes are answered, a number counts as committed exactly when every write up to it was accepted.
        #[test]
        fn what_is_committed_was_answered(order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(), answered in 0_usize..8) {
            let mut outbox = Outbox::default();
            let numbers: Vec<u64> = (0..8).map(|_| { leave(&mut outbox); outbox.send().unwrap().0 }).collect();
            let answered = &order[..answered];
            answered.iter().for_each(|nth| outbox.settle(numbers[*nth], Written::Accepted));
            for (nth, number) in numbers.iter().enumerate() {
                let all = (0..=nth).all(|earlier| answered.contains(&earlier));
                prop_assert_eq!(outbox.outcome(*number).is_some(), all);
            }
        }
    }
}
