//! How a run makes room for the next one of its execution: it continues as new.

use std::sync::Arc;

use super::Run;
use crate::error::Failure;
use crate::ids::ExecutionId;
use crate::payload::Payload;
use crate::plan::journal_key;
use crate::plan::spoil::{Spoil, is_spoiled};
use crate::running::hold::{Hold, Verdict};
use crate::store::continuations::{Continuation, Continued};
use crate::store::saves::Written;

/// How the attempt to continue an execution as new ended.
#[derive(Debug)]
pub(crate) enum Next {
    /// It is held at a new epoch, with this namespace; its journal is empty.
    Begun { continued: Continued, namespace: ExecutionId },
    /// It is no longer held.
    Lost,
    /// What is recorded of a step is not what the code went on from: it must be replayed.
    Outdated,
    /// The database refuses it, with its message.
    Refused(Box<Failure>),
}

impl Run {
    /// Whether a value is still to be written.
    pub(crate) fn has_unsent_value(&self) -> bool {
        self.state().outbox.has_unsent_value()
    }

    /// Begins the execution anew, with this input and an empty journal. The code has come to its end, and its futures are gone.
    pub(crate) async fn continue_as_new(self: &Arc<Self>, input: Payload) -> Next {
        self.settled().await;
        // Everything that was sent under this claim is answered before the next one begins.
        let sent = self.until_sent_is_committed().await;
        self.until_answered().await;
        if sent == Written::Refused {
            return match self.verdict_of_refusal() {
                Verdict::Released => Next::Outdated,
                Verdict::Refused(failure) => Next::Refused(failure),
                Verdict::Lost | Verdict::Diverged(_) | Verdict::Continued(_) => Next::Lost,
            };
        }
        let continuation = self.continuation(input);
        match self.ledger.continue_as_new(&continuation).await {
            Ok(Continued::Refused) => Next::Lost,
            Ok(continued) => {
                // The checkpoints that were left are part of the journal that is gone: the steps have ended, and nothing asks for
                // them.
                let parcel = self.state().outbox.take();
                self.unreported(parcel.ends).report();
                Next::Begun { continued, namespace: continuation.namespace }
            }
            Err(error) => {
                let mut state = self.state();
                state.waits.withdraw(&continuation.dropped, &[], &continuation.refused);
                drop(state);
                tracing::error!(execution_id = %self.id, %error, "cannot continue an execution as new");
                Next::Refused(Box::new(error.failure().clone()))
            }
        }
    }

    fn continuation(&self, input: Payload) -> Continuation {
        let mut state = self.state();
        let Hold { worker, epoch } = state.hold;
        let (dropped, refused) = state.waits.leave();
        let namespace = match is_spoiled(Spoil::KeepNamespace) {
            true => self.owner.namespace,
            false => ExecutionId::from(self.owner.namespace.derive(journal_key::CONTINUE_AS_NEW)),
        };
        Continuation { worker, id: self.id, epoch, input, namespace, dropped, refused }
    }
}
