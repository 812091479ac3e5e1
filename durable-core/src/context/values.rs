//! Values that a workflow sets for others, such as its progress.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::wait::LONGEST_NAME;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Checkpoint, NewValue, Outcome};
use crate::payload::{self, Json, Payload};
use crate::plan::journal_key;
use crate::running::BoxFuture;
use crate::running::scope::Scope;

/// A value to set under a name; see [`Context::set`](super::Context::set).
#[must_use = "a value is not set before it is awaited"]
pub struct SetValue {
    scope: Arc<Scope>,
    key: String,
    value: Result<NewValue>,
}

impl SetValue {
    pub(super) fn new<T: Serialize + ?Sized>(scope: Arc<Scope>, name: &str, value: &T) -> Self {
        let key = next_key(&scope, journal_key::SET, name);
        let value = check_name(name)
            .and_then(|()| payload::encode(format_args!("the value `{name}`"), value))
            .map(|value| NewValue { name: name.to_owned(), value, metadata: None, node: None });
        Self { scope, key, value }
    }

    /// Refuses the call, because a node of a graph has one value: what it returns.
    pub(super) fn refused_in_a_node(mut self) -> Self {
        let problem = "a node of a graph sets no values: what the node returns is its value";
        self.value = Err(Error::of_kind(ErrorKind::Invalid, problem));
        self
    }

    /// Adds information for programs that show the value, such as its unit.
    pub fn metadata<T: Serialize + ?Sized>(mut self, metadata: &T) -> Self {
        self.value = self.value.and_then(|value| {
            let metadata = payload::encode(format_args!("the metadata of the value `{}`", value.name), metadata)?;
            Ok(NewValue { metadata: Some(metadata), ..value })
        });
        self
    }

    async fn set(self) -> Result<()> {
        let Self { scope, key, value } = self;
        let value = value.map_err(Error::into_permanent)?;
        let run = &scope.run;
        let under_way = scope.set_out(&key);
        if run.take_recorded(&key).is_some() {
            return Ok(());
        }
        scope.stop_if_only_replaying().await;
        run.stop_if_draining().await;
        let busy = run.begin_work();
        // As a step does: so no more than one value waits in memory to be written.
        run.commit_checkpoints().await;
        let checkpoint = Checkpoint::of(key, Outcome::Output(Payload::null()));
        run.leave_checkpoint(Checkpoint { sets: vec![value], ..checkpoint });
        drop((busy, under_way));
        Ok(())
    }
}

impl IntoFuture for SetValue {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.set())
    }
}

impl fmt::Debug for SetValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetValue").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The value under this name now; a replay gets the same.
pub(super) async fn get<T: DeserializeOwned>(scope: Arc<Scope>, name: &str) -> Result<Option<T>> {
    let key = next_key(&scope, "get", name);
    check_name(name).map_err(Error::into_permanent)?;
    let what = format!("the value `{name}`");
    let run = &scope.run;
    let under_way = scope.set_out(&key);
    // A list of no value or one: JSON has no `Some(null)`.
    let seen: Vec<Json> = match run.take_recorded(&key).map(|recorded| recorded.outcome) {
        Some(Outcome::Output(output)) => payload::decode(&what, output.as_str())?,
        _ => {
            scope.stop_if_only_replaying().await;
            run.stop_if_draining().await;
            let busy = run.begin_work();
            // It may have been set just now.
            run.commit_checkpoints().await;
            let value: Vec<Json> = run.read_value(name).await?.map(|value| value.value).into_iter().collect();
            let (output, seen) = payload::record(&what, &value)?;
            run.leave_checkpoint(Checkpoint::of(key, Outcome::Output(output)));
            run.commit_checkpoints().await;
            drop(busy);
            seen
        }
    };
    drop(under_way);
    let value = seen.into_iter().next();
    value.map(|value| payload::decode(&what, value.as_str())).transpose().map_err(Error::into_permanent)
}

/// The key of a call. A name that is too long is cut for it: the call itself refuses the name.
pub(super) fn next_key(scope: &Scope, kind: &str, name: &str) -> String {
    scope.next_key(kind, &name[..name.floor_char_boundary(LONGEST_NAME)])
}

fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains(char::is_control) {
        let problem = format!("the name of a value has 1 to {LONGEST_NAME} bytes and no control characters");
        return Err(Error::of_kind(ErrorKind::Invalid, problem));
    }
    Ok(())
}
