//! Tags that a workflow gives to its own execution.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use super::values::next_key;
use crate::error::{Error, Result};
use crate::model::{Checkpoint, MOST_TAGS, NewTag, Outcome, too_many_tags};
use crate::payload::Payload;
use crate::plan::journal_key;
use crate::running::BoxFuture;
use crate::running::scope::Scope;

/// A tag to set; see [`Context::tag`](super::Context::tag).
#[must_use = "a tag is not set before it is awaited"]
pub struct SetTag {
    scope: Arc<Scope>,
    key: String,
    tag: Result<NewTag>,
}

impl SetTag {
    pub(super) fn new(scope: Arc<Scope>, name: &str, value: String) -> Self {
        let key = next_key(&scope, journal_key::TAG, name);
        Self { scope, key, tag: NewTag::checked(name, value) }
    }

    async fn set(self) -> Result<()> {
        let Self { scope, key, tag } = self;
        let tag = tag.map_err(Error::into_permanent)?;
        let run = &scope.run;
        let under_way = scope.set_out(&key);
        if let Some(recorded) = run.take_recorded(&key) {
            return match recorded.outcome {
                Outcome::Output(_) => Ok(()),
                Outcome::Error(failure) => Err(Error::from_failure(*failure)),
            };
        }
        scope.stop_if_only_replaying().await;
        run.stop_if_draining().await;
        let busy = run.begin_work();
        // Commit first, as a step does: the tags that are read next must include the tags that earlier calls have set.
        run.commit_checkpoints().await;
        let checkpoint = Checkpoint::of(key.clone(), Outcome::Output(Payload::null()));
        let set = if run.reserve_tag(&tag.name).await? {
            run.leave_checkpoint(Checkpoint { tag: Some(Box::new(tag)), ..checkpoint });
            Ok(())
        } else {
            let error = too_many_tags(format_args!("with `{}` the execution", tag.name), MOST_TAGS + 1).into_permanent();
            // Recorded: a replay that finds other tags gets the same error.
            run.leave_checkpoint(Checkpoint::of(key, Outcome::Error(Box::new(error.failure().clone()))));
            Err(error)
        };
        drop((busy, under_way));
        set
    }
}

impl IntoFuture for SetTag {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'static, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.set())
    }
}

impl fmt::Debug for SetTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetTag").field("key", &self.key).finish_non_exhaustive()
    }
}
