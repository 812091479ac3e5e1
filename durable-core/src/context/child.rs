//! Children: executions that an execution starts, and waits for or not.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::wait::{Awaited, ChildCall, Place, TimedWait, Waiting, awaits, shows_its_key};
use super::workflow::Workflow;
use crate::error::Result;
use crate::ids::ExecutionId;
use crate::model::{ParentPolicy, WaitKind};
use crate::plan::start_options::{StartOptions, start_setters};
use crate::running::scope::Scope;

/// The setter that both calls of a child have.
macro_rules! inherits_tags {
    () => {
        /// Gives the child the tags that this execution has at the call, too. Of two tags of the same name the child's own wins.
        pub fn inherit_tags(mut self) -> Self {
            self.call.inherits_tags = true;
            self
        }
    };
}

/// A child to start and wait for; await it for the child's output. See [`Context::child`](super::Context::child).
#[must_use = "a child is not started before it is awaited"]
pub struct ChildWait<W: Workflow> {
    waiting: Box<Waiting<'static>>,
    call: Box<ChildCall>,
    workflow: PhantomData<fn() -> W>,
}

/// A child to start without waiting; await it for the child's id. See [`Context::start_child`](super::Context::start_child).
#[must_use = "a child is not started before it is awaited"]
pub struct StartChild<W: Workflow> {
    waiting: Box<Waiting<'static>>,
    call: Box<ChildCall>,
    workflow: PhantomData<fn() -> W>,
}

fn waiting<W: Workflow>(scope: &Arc<Scope>) -> Box<Waiting<'static>> {
    Box::new(Waiting::new(scope, WaitKind::Child, W::NAME))
}

impl<W: Workflow> ChildWait<W> {
    pub(super) fn new(scope: &Arc<Scope>, input: &W::Input) -> Self {
        Self { waiting: waiting::<W>(scope), call: ChildCall::of::<W>(input, ParentPolicy::Await), workflow: PhantomData }
    }

    start_setters!(key_of_child, queue, priority, concurrency_key, time_to_live, tag);
    inherits_tags!();

    /// Waits at most this long by the database's clock, then cancels the child. The output becomes an `Option`, unless `or(…)` or
    /// `or_fail()` follows.
    pub fn timeout(self, timeout: Duration) -> TimedWait<'static, W::Output> {
        TimedWait::after(self.awaited(), timeout)
    }

    fn awaited(self) -> Awaited<'static, W::Output> {
        Awaited::child(self.waiting, self.call, Place::read_end)
    }

    fn options(&mut self) -> &mut StartOptions {
        &mut self.call.options
    }
}

impl<W: Workflow> StartChild<W> {
    pub(super) fn new(scope: &Arc<Scope>, input: &W::Input) -> Self {
        Self { waiting: waiting::<W>(scope), call: ChildCall::of::<W>(input, ParentPolicy::Cancel), workflow: PhantomData }
    }

    start_setters!(key_of_child, queue, priority, concurrency_key, time_to_live, tag);
    inherits_tags!();

    /// Detaches the child: it goes on if its parent is cancelled or rolled back.
    pub fn detach(mut self) -> Self {
        self.call.policy = ParentPolicy::Detach;
        self
    }

    fn options(&mut self) -> &mut StartOptions {
        &mut self.call.options
    }

    async fn started(self) -> Result<ExecutionId> {
        let (place, over) = self.call.end(self.waiting).await?;
        match over.child_id {
            Some(id) => Ok(id),
            None => place.read_end(&over),
        }
    }
}

awaits! { [W: Workflow] ChildWait<W>: 'static => W::Output, |wait| wait.awaited().value() }
awaits! { [W: Workflow] StartChild<W>: 'static => ExecutionId, |start| start.started() }

shows_its_key! { [W: Workflow] ChildWait<W> }
shows_its_key! { [W: Workflow] StartChild<W> }
