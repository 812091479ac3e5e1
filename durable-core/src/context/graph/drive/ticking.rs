//! Timers: their step says when they fire, and then each due time is a durable wait. When a timer fires next is stored with its node, so
//! its step runs once for each state of what it takes, and its due times outlive the journal.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Driver, Fact, NodeRun};
use crate::context::nodes::due::Due;
use crate::context::nodes::node::Computed;
use crate::context::wait::Waiting;
use crate::context::workflow::Workflow;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Timer, WaitKind, WaitOutcome};
use crate::payload;
use crate::plan::journal_key;
use crate::running::BoxFuture;
use crate::running::scope::Scope;

/// The wait of a timer, below the key of its step: `step reminder#3/sleep`, `step reminder#3/sleep#2`.
pub(super) fn wait(scope: &Arc<Scope>, name: &str, timer: Timer) -> BoxFuture<'static, Result<Computed>> {
    let key = key(name, timer, WaitKind::Sleep.as_str(), "");
    let mut waiting = Waiting::until(scope, &key, timer.next);
    Box::pin(async move {
        let over = std::future::poll_fn(|cx| waiting.poll_over(cx)).await;
        if over.outcome == Some(WaitOutcome::Cancelled) {
            return Err(Error::of_kind(ErrorKind::Cancelled, "the timer was cancelled"));
        }
        let at = over.resolved_at.map_or(timer.next, |at| at.max(timer.next));
        payload::encode("the time", &at).map(Computed::of)
    })
}

fn key(name: &str, timer: Timer, kind: &str, of: &str) -> String {
    let step = journal_key::occurrence(journal_key::STEP, name, timer.cause);
    journal_key::occurrence_in(&journal_key::below(&step), kind, of, timer.number)
}

impl<W: Workflow> Driver<'_, W> {
    /// Notes that the step of a timer has ended, or that its time has come.
    pub(super) fn note_timer(&mut self, node: usize, run: &NodeRun<'_>, result: Result<Computed>) -> Option<Fact> {
        let spec = &self.shape.nodes[node];
        let (ended, name, at) = ((node, run.cause), spec.name, self.now());
        let waited = self.state.node(node).timer_for(run.cause);
        let mut fact = Fact::run(spec, run.cause);
        let noted = match (result, waited) {
            (Ok(computed), Some(timer)) => self.note_tick(ended, timer, &computed).map(|()| {
                fact = Fact { left: None, own: key(name, timer, journal_key::SET, "tick") };
            }),
            (Ok(computed), None) => self.note_due(ended, &computed, run),
            (Err(error), _) => Err(error),
        };
        if let Err(error) = noted {
            self.state.run_ended(&self.shape, ended, Err(Box::new(error.failure().clone())), at);
        }
        Some(fact)
    }

    fn note_due(&mut self, (node, cause): (usize, u32), computed: &Computed, run: &NodeRun<'_>) -> Result<()> {
        let due: Due = payload::decode("when the timer fires", computed.as_payload().as_str())?;
        match due.timer(cause, run.began, self.now())? {
            Some(timer) => {
                if self.state.schedule(node, timer) {
                    self.begin_run(node, cause);
                }
            }
            None => drop(self.state.never_fires(&self.shape, (node, cause))),
        }
        Ok(())
    }

    fn note_tick(&mut self, (node, cause): (usize, u32), timer: Timer, computed: &Computed) -> Result<()> {
        let (came, at) = (payload::decode::<DateTime<Utc>>("the time", computed.as_payload().as_str())?, self.now());
        // While the execution is paused, its time may come without a tick: what counts is when it is noted.
        let (due, next) = timer.fire(came.max(at));
        let value = payload::encode("the due time", &due)?;
        if self.state.fire(&self.shape, (node, cause), (value, next), at) && next.is_some() {
            self.begin_run(node, cause);
        }
        Ok(())
    }
}
