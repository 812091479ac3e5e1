//! Continuations on record: an execution begins anew with an empty journal, and keeps its messages and values.

use super::book::{Book, Break};
use super::record::State;
use crate::ids::{Epoch, ExecutionId};
use crate::store::continuations::{Continuation, Continued};

impl Book {
    /// Begins an execution anew; its answer may have been lost before.
    pub(crate) fn continue_as_new(&mut self, continuation: &Continuation) -> Continued {
        let Continuation { worker, id, epoch, input, namespace, dropped, refused } = continuation;
        let before = Epoch(epoch.0 + 1);
        if self.held(*worker, *id, before) && self.records.get(id).is_some_and(|record| record.namespace == Some(*namespace)) {
            let is_paused = self.records.get(id).is_some_and(|record| record.paused);
            return Continued::Accepted { epoch: before, is_paused };
        }
        // While a client sends a message, the answer would be late: the order is the same.
        if !self.held(*worker, *id, *epoch) {
            return Continued::Refused;
        }
        let keeps_journal = self.is_broken(Break::KeepsJournals);
        let Some(record) = self.records.get_mut(id).filter(|record| record.rollback.is_none()) else { return Continued::Refused };
        for refused in refused {
            record.refuse(&refused.key, refused.message_id);
        }
        for key in dropped {
            record.drop_wait(key);
        }
        let lost: Vec<String> =
            record.forgotten_messages(*worker).map(|lost| format!("{id} continues as new, and {lost}")).collect();
        record.input = input.as_str().to_owned();
        let steps: Vec<_> = record.checkpoints.keys().map(|key| record.namespace.unwrap_or(*id).derive(key)).collect();
        record.past_steps.extend(steps);
        record.namespace = Some(*namespace);
        record.epoch += 1;
        record.claims = 1;
        record.continuations += 1;
        record.begun.clear();
        record.written.clear();
        if !keeps_journal {
            record.checkpoints.clear();
            record.attempts.clear();
            record.waits.clear();
        }
        let (epoch, is_paused) = (Epoch(record.epoch), record.paused);
        self.violations.extend(lost);
        debug_assert!(self.records.get(id).is_some_and(|record| record.state == State::Running));
        Continued::Accepted { epoch, is_paused }
    }

    /// Whose idempotency keys the steps of the execution have.
    pub(crate) fn namespace_of(&self, id: ExecutionId) -> ExecutionId {
        self.records.get(&id).and_then(|record| record.namespace).unwrap_or(id)
    }
}
