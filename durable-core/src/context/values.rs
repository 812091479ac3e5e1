//! Values that a workflow sets for others, such as its progress.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::wait::LONGEST_NAME;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Checkpoint, NewValue, Outcome};
use crate::payload::{self, Json, Payload};
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
        let key = scope.next_key("set", name);
        let value = check_name(name)
            .and_then(|()| payload::encode(&format!("the value `{name}`"), value))
            .map(|value| NewValue { name: name.to_owned(), value, metadata: None });
        Self { scope, key, value }
    }

    /// Adds what those who show the value should know about it, such as its unit.
    pub fn metadata<T: Serialize + ?Sized>(mut self, metadata: &T) -> Self {
        self.value = self.value.and_then(|value| {
            let metadata = payload::encode(&format!("the metadata of the value `{}`", value.name), metadata)?;
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
        run.leave_checkpoint(Checkpoint { sets: Some(Box::new(value)), ..checkpoint });
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

/// What is recorded of a look at a value.
#[derive(Serialize, Deserialize)]
struct Seen {
    value: Option<Json>,
}

/// The value under this name now; a replay gets the same.
pub(super) async fn get<T: DeserializeOwned>(scope: Arc<Scope>, name: &str) -> Result<Option<T>> {
    let key = scope.next_key("get", name);
    check_name(name).map_err(Error::into_permanent)?;
    let what = format!("the value `{name}`");
    let run = &scope.run;
    let under_way = scope.set_out(&key);
    let seen = match run.take_recorded(&key).map(|recorded| recorded.outcome) {
        Some(Outcome::Output(output)) => payload::decode::<Seen>(&what, output.as_str())?,
        _ => {
            scope.stop_if_only_replaying().await;
            run.stop_if_draining().await;
            let busy = run.begin_work();
            // It may have been set just now.
            run.commit_checkpoints().await;
            let seen = Seen { value: run.read_value(name).await?.map(|value| value.value) };
            run.leave_checkpoint(Checkpoint::of(key, Outcome::Output(payload::encode(&what, &seen)?)));
            run.commit_checkpoints().await;
            drop(busy);
            seen
        }
    };
    drop(under_way);
    seen.value.map(|value| payload::decode(&what, value.as_str())).transpose().map_err(Error::into_permanent)
}

fn check_name(name: &str) -> Result<()> {
    let problem = match name.len() {
        0 => "a value needs a name".to_owned(),
        length if length > LONGEST_NAME => {
            format!("the name of this value has {length} bytes, over the limit of {LONGEST_NAME}")
        }
        _ if name.contains('\0') => "the name of a value contains NUL, which Postgres does not store".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::of_kind(ErrorKind::Invalid, problem))
}
