//! The run of a node: it waits for its delay, and then calls its step with what it takes.

use std::sync::Arc;

use crate::context::nodes::node::{Call, Computed};
use crate::context::nodes::taken::Taken;
use crate::context::wait::Sleep;
use crate::context::workflow::Workflow;
use crate::error::Result;
use crate::plan::graph::spec::NodeSpec;
use crate::plan::journal_key;
use crate::running::BoxFuture;
use crate::running::run::Run;
use crate::running::scope::Scope;

/// The run of a node in its scope, journalled under keys with its cause. A later cause has other keys, so its delay begins anew.
pub(super) fn run<'run, W: Workflow>(
    workflow: &'run W,
    code: Call<W>,
    spec: &NodeSpec,
    cause: u32,
    scope: &Arc<Scope>,
    taken: Taken,
) -> BoxFuture<'run, Result<Computed>> {
    let delay = spec.delay.map(|delay| Sleep::under_key(scope, &delay_key(spec, cause), delay));
    let kind = if spec.is_each() { journal_key::MAP } else { journal_key::STEP };
    let call = journal_key::occurrence(kind, spec.name, cause);
    let scope = scope.clone();
    Box::pin(async move {
        if let Some(delay) = delay {
            delay.await?;
        }
        scope.give_key(call);
        code(workflow, &taken).await
    })
}

/// Ends the delay of a run that was dropped, also if the run has not come to it under this claim.
pub(super) fn end_delay(spec: &NodeSpec, cause: u32, run: &Run) {
    if spec.delay.is_some() {
        run.drop_known_wait(&delay_key(spec, cause));
    }
}

fn delay_key(spec: &NodeSpec, cause: u32) -> String {
    journal_key::occurrence(journal_key::SLEEP, spec.name, cause)
}
