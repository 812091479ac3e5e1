//! What simulated code does with children, and what must be true when a call of a child returns.

use super::program::{ChildCall, ChildPart};
use super::workflow::Simulated;
use crate::context::Context;
use crate::error::{ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::running::memory::{self, Book, Record, State};

impl Simulated {
    /// Calls a child; returns what the code goes on with.
    pub(super) async fn call_child(&self, cx: &Context, part: ChildPart) -> Result<Option<String>> {
        let id = cx.execution_id();
        let returned = match part.how {
            ChildCall::Started | ChildCall::Detached => {
                let mut start = cx.start_child::<Self>(part.program);
                if let Some(key) = part.key {
                    start = start.key(key);
                }
                let started = if let ChildCall::Detached = part.how { start.detach().await } else { start.await };
                self.check(|book| check_start(book, id, part, &started));
                started.map(|child| Some(format!("started {child}")))
            }
            ChildCall::Awaited | ChildCall::AwaitedFor(_) => {
                let mut call = cx.child::<Self>(part.program);
                if let Some(key) = part.key {
                    call = call.key(key);
                }
                let ended =
                    if let ChildCall::AwaitedFor(time) = part.how { call.timeout(time).await } else { call.await.map(Some) };
                self.check(|book| check_end(book, id, part, &ended));
                ended.map(|output| output.and_then(|output| Some(format!("child {}", output.first()?))))
            }
        };
        match returned {
            Err(error) if part.must_succeed => Err(error),
            Err(_) => Ok(Some("failure".to_owned())),
            returned => returned,
        }
    }

    fn check(&self, check: impl FnOnce(&Book) -> Option<String>) {
        let mut book = memory::lock(&self.book);
        let wrong = check(&book);
        book.violations.extend(wrong);
    }
}

/// The child of this call.
fn child_of(book: &Book, id: ExecutionId, part: ChildPart) -> Option<(&ExecutionId, &Record)> {
    let is_child = |record: &Record| {
        let is_own = record.parent.as_ref().is_some_and(|parent| parent.id == id);
        is_own && record.undoes.is_none() && record.first_input == part.program.to_string()
    };
    book.records.iter().find(|(_, record)| is_child(record))
}

fn check_start(book: &Book, id: ExecutionId, part: ChildPart, started: &Result<ExecutionId>) -> Option<String> {
    let child = child_of(book, id, part).map(|(child, _)| *child);
    match started {
        Ok(started) if child == Some(*started) => None,
        Err(error) if child.is_none() && is_refusal(error.kind(), part) => None,
        // The wait was cancelled, as the rollback of its execution does.
        Err(error) if error.kind() == ErrorKind::Cancelled => None,
        started => Some(format!("{id} started {started:?} with program {}, and its child is {child:?}", part.program)),
    }
}

/// What the parent is told is how the child ended.
fn check_end(book: &Book, id: ExecutionId, part: ChildPart, ended: &Result<Option<Vec<String>>>) -> Option<String> {
    let child = child_of(book, id, part);
    let is_true = match (ended, child) {
        (Ok(Some(output)), Some((_, child))) => {
            let recorded = child.end.as_deref().and_then(|end| serde_json::from_str::<Vec<String>>(end).ok());
            child.state == State::Completed && recorded.as_ref() == Some(output)
        }
        // When the time is over, the child is cancelled before the code goes on.
        (Ok(None), Some((child, record))) => !record.goes_on() || book.not_cancelled.contains(child),
        (Err(error), Some((_, child))) => {
            error.kind() == ErrorKind::Cancelled || (child.is_over() && child.state != State::Completed)
        }
        (Err(error), None) => is_refusal(error.kind(), part),
        (Ok(_), None) => false,
    };
    let state = child.map(|(_, record)| record.state);
    (!is_true).then(|| format!("{id} was told {ended:?} of the child with program {}, which is {state:?}", part.program))
}

/// Whether the child cannot be started because another execution has its key.
fn is_refusal(kind: ErrorKind, part: ChildPart) -> bool {
    kind == ErrorKind::Conflict && part.key.is_some()
}
