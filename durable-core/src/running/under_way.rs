//! The durable call that a scope is in: there is one at a time, and a second one is reported.

use std::sync::Arc;

use super::ambient;
use super::hold::Verdict;
use super::scope::Scope;
use crate::plan::divergence;

/// A durable call that was polled and has not finished.
#[derive(Debug)]
pub(crate) struct UnderWay {
    scope: Arc<Scope>,
}

impl Scope {
    /// Marks a durable call as polled and unfinished, until the guard is dropped.
    pub(crate) fn set_out(self: &Arc<Self>, key: &str) -> UnderWay {
        if let Some(under_way) = self.calls().under_way.replace(key.to_owned()) {
            let elsewhere = ambient::scope().is_some_and(|scope| !Arc::ptr_eq(&scope, self));
            let report = if elsewhere { divergence::made_outside(key, &under_way) } else { divergence::overlap(key, &under_way) };
            self.run.give_up(Verdict::Diverged(report));
        }
        // Code that only replays has used these messages before, under an earlier claim.
        if !self.goes_no_further() || self.run.is_recorded(key) {
            self.run.use_messages(&self.path);
        }
        UnderWay { scope: self.clone() }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // If another call was made meanwhile, its mark goes, too; but then the overlap has been reported.
        self.scope.calls().under_way = None;
    }
}
