//! The run of a node: it waits for its delay, and then calls its step with what it takes.

use std::sync::Arc;

use crate::context::nodes::node::{Call, Computed};
use crate::context::nodes::taken::Taken;
use crate::context::wait::Sleep;
use crate::context::workflow::Workflow;
use crate::error::Result;
use crate::plan::graph::spec::{NodeKind, NodeSpec};
use crate::plan::journal_key;
use crate::running::BoxFuture;
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
    let delay = spec.delay.map(|delay| {
        let key = journal_key::occurrence(journal_key::SLEEP, spec.name, cause);
        Sleep::under_key(scope, &key, delay)
    });
    let call = call_key(spec, cause);
    let scope = scope.clone();
    Box::pin(async move {
        if let Some(delay) = delay {
            delay.await?;
        }
        scope.give_key(call);
        code(workflow, &taken).await
    })
}

/// The key under which the run of a node is journalled.
pub(super) fn call_key(spec: &NodeSpec, cause: u32) -> String {
    let kind = match spec.kind {
        NodeKind::Question => journal_key::INPUT,
        _ if spec.is_each() => journal_key::MAP,
        _ => journal_key::STEP,
    };
    journal_key::occurrence(kind, spec.name, cause)
}
