//! Says why an execution does not continue: what it waits for, and what its queue and the workers have to do with it.

use super::Durable;
use crate::context::graph::stored;
use crate::error::Result;
use crate::ids::ExecutionId;
use crate::model::{Blocker, Execution, ExecutionState, Introspection, NodeDetails, NodeWait, Unmet, Wait, WorkerState};
use crate::payload::Payload;
use crate::plan::graph::CHANGES;
use crate::plan::journal_key;
use crate::store::queues::{self, Gate};
use crate::store::{values, workers};

impl Durable {
    /// Where an execution is, and why it does not continue: a [`Blocker`] for each condition that is not met. A blocker is data and,
    /// by `Display`, a sentence; [`Blocker::command`] names the command that meets the condition, if there is one.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// let why = durable.introspect(id).await?;
    /// for blocker in &why.blockers {
    ///     println!("{blocker}");
    ///     println!("{}", blocker.command(id).unwrap_or_default());
    /// }
    /// println!("{why}"); // all of it as text
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution.
    pub async fn introspect(&self, id: ExecutionId) -> Result<Introspection> {
        let details = self.get_execution(id).await?;
        let mut blockers = details.blockers();
        if details.execution.state == ExecutionState::Pending && details.execution.wake_at.is_none() {
            let around = self.blockers_around(&details.execution).await?;
            if !around.is_empty() {
                blockers.retain(|blocker| !matches!(blocker, Blocker::Turn { .. }));
            }
            blockers.extend(around);
        }
        let mut nodes = self.nodes(&details.execution).await?;
        note_delays(&mut nodes, &details.waits);
        if !nodes.is_empty() {
            blockers = blockers.into_iter().map(|blocker| of_graph(blocker, &nodes)).collect();
        }
        Ok(Introspection { details, blockers, nodes })
    }

    /// The nodes of a graph; none of any other execution.
    async fn nodes(&self, execution: &Execution) -> Result<Vec<NodeDetails>> {
        let Execution { id, workflow, version, .. } = execution;
        let rows = self.run("read nodes", |pool| values::nodes(self.store(), pool, *id)).await?;
        let Some(door) = self.registered_door(workflow, *version) else {
            return Ok(rows.into_iter().map(NodeDetails::from).collect());
        };
        let start = Payload(execution.input.as_str().into());
        let mut nodes = stored::shown(&door, rows, &start, execution.created_at);
        if execution.state.is_finished() {
            // Nothing is computed any more, and nothing can be given.
            nodes.iter_mut().for_each(|node| (node.is_outstanding, node.unmet) = (false, Vec::new()));
        }
        Ok(nodes)
    }

    /// What its queue and the workers have against a pending execution.
    async fn blockers_around(&self, execution: &Execution) -> Result<Vec<Blocker>> {
        let Execution { workflow, version, queue, .. } = execution;
        let gate = self.run("look at a queue", |pool| queues::gate(self.store(), pool, queue)).await?;
        let workers = self.run("list workers", |pool| workers::list(self.store(), pool)).await?;
        let claims = workers.iter().filter(|worker| worker.state == WorkerState::Active);
        let claims: Vec<_> = claims.filter(|worker| worker.queues.iter().any(|slots| slots.queue == *queue)).collect();
        let queue = || queue.clone();
        let mut blockers = gate_blockers(&gate, queue);
        if claims.is_empty() {
            blockers.push(Blocker::NoWorker { queue: queue() });
        } else if claims.iter().all(|worker| worker.knows(workflow, *version) == Some(false)) {
            blockers.push(Blocker::UnknownWorkflow { queue: queue(), workflow: workflow.clone(), version: *version });
        }
        Ok(blockers)
    }
}

/// Says of nodes with a delay that is not over when they start. A crash may have left the delay of an earlier run open; the one that
/// began last counts.
fn note_delays(nodes: &mut [NodeDetails], waits: &[Wait]) {
    for node in nodes.iter_mut().filter(|node| node.is_outstanding && node.waits_for.is_none()) {
        let is_delay = |wait: &&Wait| journal_key::delayed_node(&wait.key).is_some_and(|name| name == node.name);
        let delay = waits.iter().rfind(|wait| wait.outcome.is_none() && is_delay(wait));
        if let Some(at) = delay.and_then(|wait| wait.due_at) {
            node.is_outstanding = false;
            node.unmet.push(Unmet::StartsAt { at });
        }
    }
}

/// A blocker of a graph. It waits for its next change as for an event.
fn of_graph(blocker: Blocker, nodes: &[NodeDetails]) -> Blocker {
    match blocker {
        Blocker::Event { names, wait } if names == [CHANGES] => {
            let is_missing = |node: &&NodeDetails| node.unmet.contains(&Unmet::NotGiven);
            Blocker::Change { missing: nodes.iter().filter(is_missing).map(|node| node.name.clone()).collect(), wait }
        }
        Blocker::Sleep(wait) => {
            let is_timer = |node: &&NodeDetails| matches!(node.waits_for, Some(NodeWait::Time { .. }));
            let timer = nodes.iter().filter(is_timer).find(|node| journal_key::outermost(&wait.key).0 == node.name);
            match timer {
                Some(node) => Blocker::Timer { node: node.name.clone(), wait },
                None => Blocker::Sleep(wait),
            }
        }
        other => other,
    }
}

fn gate_blockers(gate: &Gate, queue: impl Fn() -> String) -> Vec<Blocker> {
    let paused = gate.paused_at.map(|since| Blocker::QueuePaused { queue: queue(), since });
    let full = gate.concurrency.filter(|most| gate.running >= u64::from(*most));
    let full = full.map(|concurrency| Blocker::QueueFull { queue: queue(), running: gate.running, concurrency });
    paused.into_iter().chain(full).collect()
}
