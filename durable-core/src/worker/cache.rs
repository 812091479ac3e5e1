//! Parked executions that stay in memory for a while, so that waking them here needs no replay.

use std::collections::BTreeMap;

use super::flow::Flow;
use crate::ids::ExecutionId;

/// At most so many executions; the one that was parked first leaves first.
pub(super) struct Cache {
    limit: usize,
    parked: BTreeMap<ExecutionId, (u64, Flow)>,
    order: BTreeMap<u64, ExecutionId>,
    next: u64,
}

impl Cache {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, parked: BTreeMap::new(), order: BTreeMap::new(), next: 0 }
    }

    /// Puts an execution in, and returns the one that had to leave: its future is the caller's to drop, outside any lock.
    #[must_use]
    pub(super) fn put(&mut self, id: ExecutionId, parked: Flow) -> Option<Flow> {
        if self.limit == 0 {
            return Some(parked);
        }
        let replaced = self.take(id);
        self.order.insert(self.next, id);
        self.parked.insert(id, (self.next, parked));
        self.next += 1;
        if self.parked.len() <= self.limit {
            return replaced;
        }
        let (_, oldest) = self.order.pop_first()?;
        self.parked.remove(&oldest).map(|(_, parked)| parked)
    }

    pub(super) fn take(&mut self, id: ExecutionId) -> Option<Flow> {
        let (place, parked) = self.parked.remove(&id)?;
        self.order.remove(&place);
        Some(parked)
    }

    /// Empties the cache; the futures are the caller's to drop.
    #[must_use]
    pub(super) fn clear(&mut self) -> Vec<Flow> {
        self.order.clear();
        std::mem::take(&mut self.parked).into_values().map(|(_, parked)| parked).collect()
    }
}

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("limit", &self.limit).field("parked", &self.parked.len()).finish_non_exhaustive()
    }
}
