//! How timers change the state of a graph. A recurring timer has a value and is under way at the same time: what takes it runs at each
//! of its ticks.

use chrono::{DateTime, Utc};

use super::super::shape::Shape;
use super::{NodeState, Standing, State, Value};
use crate::model::Timer;
use crate::payload::Payload;

impl State {
    /// Notes when the timer fires first. Returns `false` if the run no longer counts.
    pub(crate) fn schedule(&mut self, node: usize, timer: Timer) -> bool {
        let it = &mut self.nodes[node];
        if it.running != Some(timer.cause) {
            return false;
        }
        it.timer = Some(timer);
        self.unstored.insert(node);
        true
    }

    /// Notes that the timer never fires. Returns `false` if the run no longer counts.
    pub(crate) fn never_fires(&mut self, shape: &Shape, (node, cause): (usize, u32)) -> bool {
        if self.nodes[node].running != Some(cause) {
            return false;
        }
        self.nodes[node].running = None;
        self.settle(shape, node, Standing::Skipped, cause);
        true
    }

    /// Notes that the timer has fired, and when it does so again. Returns `false` if it no longer counts.
    pub(crate) fn fire(
        &mut self,
        shape: &Shape,
        (node, cause): (usize, u32),
        (due, next): (Payload, Option<Timer>),
        at: DateTime<Utc>,
    ) -> bool {
        let it = &mut self.nodes[node];
        if it.running != Some(cause) {
            return false;
        }
        it.timer = next;
        if next.is_none() {
            it.running = None;
        }
        let value = Value { json: due, metadata: None, set_at: at };
        self.settle(shape, node, Standing::Ready { value, stale: None }, cause);
        true
    }

    /// The timers of an earlier claim that go on.
    pub(in crate::plan::graph) fn take_resumed(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.resumed)
    }

    /// The cause under which a timer that has fired is to go on, if it does not.
    pub(in crate::plan::graph) fn to_resume(&self, node: usize) -> Option<u32> {
        let it = &self.nodes[node];
        it.ticks().filter(|_| it.running.is_none()).map(|timer| timer.cause)
    }

    /// The timer of a node that waits for what the node takes now.
    pub(crate) fn timer(&self, shape: &Shape, node: usize) -> Option<Timer> {
        self.nodes[node].timer_for(self.cause_of(shape, node))
    }

    /// Whether a timer will fire again, so that the graph is never settled.
    pub(crate) fn has_ticking(&self) -> bool {
        self.nodes.iter().any(|node| node.ticks().is_some())
    }
}

impl NodeState {
    /// The timer that waits for the state of this cause.
    pub(crate) fn timer_for(&self, cause: u32) -> Option<Timer> {
        self.timer.filter(|timer| timer.cause == cause)
    }

    /// The timer, if it has fired for what the node takes now, and fires again.
    pub(crate) fn ticks(&self) -> Option<Timer> {
        self.timer_for(self.cause)
    }

    /// Whether the node is about to have another value, which it waits for. A timer that ticks has its value already.
    pub(super) fn is_computing(&self) -> bool {
        self.running.is_some_and(|cause| cause != self.cause)
    }
}
