//! What the bodies of steps tell their test, and how the test holds them back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, watch};

/// How often the body of each step began, by a label: for most, its journal key.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<String, usize>>>);

impl Tally {
    /// Counts one more, and says how many that makes.
    pub(crate) fn add(&self, label: impl Into<String>) -> usize {
        let mut calls = self.0.lock().unwrap();
        let count = calls.entry(label.into()).or_default();
        *count += 1;
        *count
    }

    pub(crate) fn count(&self, label: &str) -> usize {
        self.0.lock().unwrap().get(label).copied().unwrap_or_default()
    }

    pub(crate) fn all(&self) -> BTreeMap<String, usize> {
        self.0.lock().unwrap().clone()
    }

    /// Every label that was counted, in alphabetical order.
    pub(crate) fn labels(&self) -> Vec<String> {
        self.0.lock().unwrap().keys().cloned().collect()
    }
}

/// Where bodies stand until the test lets them pass.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    passes: Arc<Semaphore>,
    inside: watch::Sender<usize>,
    most_inside: Arc<AtomicUsize>,
}

impl Gate {
    /// A gate that nobody passes yet.
    pub(crate) fn closed() -> Self {
        Self { passes: Arc::new(Semaphore::new(0)), inside: watch::Sender::new(0), most_inside: Arc::default() }
    }

    /// Stands at the gate until the test opens it.
    pub(crate) async fn pass(&self) {
        let _inside = Inside::enter(self);
        self.passes.acquire().await.unwrap().forget();
    }

    /// Lets so many pass, those included that come later.
    pub(crate) fn let_pass(&self, bodies: usize) {
        self.passes.add_permits(bodies);
    }

    /// How many stand there now.
    pub(crate) fn inside(&self) -> usize {
        *self.inside.borrow()
    }

    /// How many stood there at once, at most.
    pub(crate) fn most_inside(&self) -> usize {
        self.most_inside.load(Ordering::SeqCst)
    }

    /// Returns when so many stand there.
    pub(crate) async fn until_inside(&self, bodies: usize) {
        let mut inside = self.inside.subscribe();
        let reached = inside.wait_for(|inside| *inside == bodies);
        // The gate is there as long as this waits.
        drop(super::soon(&format!("{bodies} bodies at the gate"), reached).await);
    }
}

/// A body that stands at a gate; one that is dropped there is gone, too.
struct Inside<'gate>(&'gate Gate);

impl<'gate> Inside<'gate> {
    fn enter(gate: &'gate Gate) -> Self {
        gate.inside.send_modify(|inside| *inside += 1);
        gate.most_inside.fetch_max(gate.inside(), Ordering::SeqCst);
        Self(gate)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.send_modify(|inside| *inside -= 1);
    }
}
