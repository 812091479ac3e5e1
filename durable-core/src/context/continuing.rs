//! The call with which an execution continues as new.

use std::any::TypeId;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::door::{Context, InputType};
use crate::error::{Error, ErrorKind, Result};
use crate::payload;
use crate::plan::journal_key;
use crate::running::ambient;
use crate::running::hold::Verdict;
use crate::running::scope::Scope;

/// Ends this run, and has the execution begin anew with the input. Returns only what is wrong with the call.
pub(super) async fn continue_as_new<I, T>(cx: &Context, input: &I) -> Result<T>
where
    I: Serialize + DeserializeOwned + 'static,
{
    let scope = cx.scope();
    check_place(&scope).and_then(|()| check_type::<I>(cx.input)).map_err(Error::into_permanent)?;
    let (input, _) = payload::record("the next input", input).map_err(Error::into_permanent)?;
    let key = scope.next_key(journal_key::CONTINUE_AS_NEW, "");
    let under_way = scope.set_out(&key);
    let run = &scope.run;
    scope.stop_if_only_replaying().await;
    run.stop_if_draining().await;
    if run.has_unsent_value() {
        // Values and tags stay; every other checkpoint that is left goes with the journal.
        let busy = run.begin_work();
        run.commit_checkpoints().await;
        drop(busy);
    }
    let never = run.stop(Verdict::Continued(input)).await;
    drop(under_way);
    never
}

/// Only `run` itself continues as new: what goes on beside the call would be lost.
fn check_place(scope: &Scope) -> Result<()> {
    let problem = if ambient::in_step() {
        "call `cx.continue_as_new` in a step: a step only returns its outcome; call it in `run`, after the step".to_owned()
    } else if scope.run.rollback().is_some() {
        "call `cx.continue_as_new` while the execution is rolled back: a compensation only undoes its step".to_owned()
    } else if !scope.path().is_empty() {
        format!(
            "call `cx.continue_as_new` in the branch `{}`: it would end the other branches; return from the branch, and call it in \
             `run` after the `join!`, the `race!` or the map",
            scope.path().trim_end_matches('/')
        )
    } else {
        return Ok(());
    };
    Err(Error::of_kind(ErrorKind::Invalid, problem))
}

fn check_type<I: 'static>(expected: Option<InputType>) -> Result<()> {
    match expected {
        Some(expected) if expected.id == TypeId::of::<I>() => Ok(()),
        Some(expected) => Err(Error::of_kind(
            ErrorKind::Invalid,
            format!(
                "continue as new with a `{}`: the input of this workflow is a `{}`; pass a reference to one",
                std::any::type_name::<I>(),
                expected.name
            ),
        )),
        None => Err(Error::of_kind(ErrorKind::Invalid, "continue as new outside the `run` of a workflow".to_owned())),
    }
}
