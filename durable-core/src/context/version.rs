//! Which version of a change an execution has: the code asks where old and new executions part.

use std::sync::Arc;

use super::wait::LONGEST_NAME;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Checkpoint, Outcome};
use crate::payload;
use crate::plan::{divergence, journal_key};
use crate::running::hold::Verdict;
use crate::running::scope::Scope;

/// The version of the change that this execution has, here and wherever its code asks again below.
pub(super) async fn version(scope: Arc<Scope>, change: &str, newest: u32) -> Result<u32> {
    check(change, newest).map_err(Error::into_permanent)?;
    let run = &scope.run;
    let key = journal_key::version(scope.path(), change);
    if let Some(overlong) = Some(&key).filter(|key| key.len() > journal_key::LONGEST) {
        return Err(Error::of_kind(ErrorKind::Invalid, journal_key::too_long(overlong)).into_permanent());
    }
    let under_way = scope.set_out(&key);
    // What is recorded around this scope counts only if the code has asked for it before it came here.
    let asked = journal_key::around(scope.path()).find_map(|path| run.asked_version(&journal_key::version(path, change)));
    let version = match asked.or_else(|| run.recorded_version(&key)) {
        Some(known) if known > newest => {
            let report = divergence::newer_version(change, known, newest);
            run.stop::<u32>(Verdict::Diverged(report)).await
        }
        Some(known) => {
            run.note_version(&key, known);
            known
        }
        // It went on from here before the code asked: what follows in its journal is from the code from before the change.
        None if run.has_gone_on_from(&key) => {
            run.note_version(&key, 0);
            0
        }
        None => {
            scope.stop_if_only_replaying().await;
            run.stop_if_draining().await;
            let output = payload::encode(format_args!("the version of the change `{change}`"), &newest)?;
            // Written before anything that the code does next.
            run.leave_checkpoint(Checkpoint::of(key.clone(), Outcome::Output(output)));
            run.note_version(&key, newest);
            newest
        }
    };
    drop(under_way);
    Ok(version)
}

fn check(change: &str, newest: u32) -> Result<()> {
    let problem = if change.is_empty() || change.len() > LONGEST_NAME || change.contains(char::is_control) {
        format!("the name of a change has 1 to {LONGEST_NAME} bytes and no control characters")
    } else if newest == 0 {
        format!(
            "the change `{change}` has version 0: versions of a change start at 1, and 0 means the code from before the change"
        )
    } else {
        return Ok(());
    };
    Err(Error::of_kind(ErrorKind::Invalid, problem))
}
