//! The rollback of an execution: undoes what was completed, the last first, and keeps what became of each.

use std::sync::Arc;

use super::call::Calls;
use super::door::Context;
use super::routed;
use super::step::{Step, StepSpec};
use super::undo::{Compensation, Recorded, Undone};
use super::wait::{self, UndoableChild};
use super::workflow::Workflow;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Undoable;
use crate::payload::{self, Payload};
use crate::plan::journal_key;
use crate::running::scope::Scope;

/// Undoes everything in `chain`, in this order; one that cannot be undone does not stop the others. Fails in the end if any did.
pub(crate) async fn roll_back<W: Workflow>(
    workflow: Arc<W>,
    compensations: &'static [Compensation<W>],
    root: Arc<Scope>,
    chain: Vec<Undoable>,
) -> Result<Payload> {
    let cx = Context::new(root.clone());
    let mut failed = Vec::new();
    for undoable in &chain {
        let undone = match journal_key::step_name(&undoable.key) {
            Some(step) => undo_step(&*workflow, W::NAME, compensations, (&cx, &step), undoable).await,
            None => undo_child::<W>(&root, undoable).await,
        };
        if let Err(error) = undone {
            failed.push(format!("`{}` could not be undone: {error}", undoable.key));
        }
    }
    if failed.is_empty() { Ok(Payload::null()) } else { Err(Error::new(failed.join("; "))) }
}

async fn undo_child<W: Workflow>(root: &Arc<Scope>, undoable: &Undoable) -> Result<()> {
    let output = undoable.output.as_ref().map_or("null", Payload::as_str);
    let mut child: UndoableChild = payload::decode(format_args!("what undoes `{}`", undoable.key), output)?;
    if let Some(route) = journal_key::routed_step_name(&undoable.key).and_then(|step| routed::of_step::<W>(&step)) {
        // The step may have another queue by now, and the workers of the former one be gone.
        child.queue = route.queue.to_owned();
    }
    wait::undo_child(root, &journal_key::undo(&undoable.key), child).await
}

async fn undo_step<W: Send + Sync + 'static>(
    workflow: &W,
    name: &'static str,
    compensations: &'static [Compensation<W>],
    (cx, step): (&Context, &str),
    undoable: &Undoable,
) -> Result<()> {
    let Some(compensation) = compensations.iter().find(|compensation| compensation.step == step) else {
        return Err(Error::of_kind(ErrorKind::Diverged, format!("step `{step}` has no compensation any more")));
    };
    let spec = StepSpec {
        workflow: name,
        name: compensation.spec.name,
        is_compensation: true,
        was: &[],
        retry: compensation.spec.retry,
        timeout: compensation.spec.timeout,
        compensation: None,
        undo_on_failure: false,
    };
    let key = journal_key::undo(&undoable.key);
    let recorded = Recorded::new(undoable.output.clone());
    let calls = Calls::Flow(Box::new(|| (compensation.call)(workflow, cx, recorded.clone())));
    // As a step: a compensation that waits, or sits out a back-off, must not look like foreign code.
    let undone: Result<Undone> = Step::under_key(cx.root.clone(), key, spec, None, calls).await;
    undone.map(drop)
}
