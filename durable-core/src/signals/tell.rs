//! Sends notices to other processes. Notices that come up while a statement is in flight go out together in the next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::ids::ExecutionId;
use crate::store::Session;
use crate::store::notify::{self, Notice};

/// Most notices in one statement.
const BATCH: usize = 5_000;

/// Pause between two statements, in which notices gather.
const PAUSE: Duration = Duration::from_millis(1);

/// Sends notices until the process shuts down, and then those that are left. A notice that cannot be sent is dropped: other
/// processes find out by polling.
pub(crate) async fn tell(
    session: &mut Session,
    notices: &mut mpsc::UnboundedReceiver<Notice>,
    closing: &mut watch::Receiver<bool>,
) {
    let mut queued = Vec::new();
    loop {
        tokio::select! {
            count = notices.recv_many(&mut queued, BATCH) => if count == 0 { return },
            _ = closing.wait_for(|closes| *closes), if !notices.is_closed() => {
                notices.close();
                continue;
            }
        }
        let merged = merge(queued.drain(..));
        if let Err(error) = send(session, &merged).await {
            tracing::debug!(%error, "could not notify other processes; they will find out by polling");
        }
        if !notices.is_closed() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn send(session: &mut Session, notices: &[Notice]) -> Result<(), sqlx::Error> {
    let mut connection = session.connection().await?;
    let sent = notify::send(session.store(), &mut *connection, notices).await;
    session.give_back(connection, sent)
}

/// Each queue once, and all ids of a kind in one notice.
fn merge(notices: impl Iterator<Item = Notice>) -> Vec<Notice> {
    let mut queues = BTreeSet::new();
    let mut finished = Vec::new();
    let mut resolved = Vec::new();
    let mut changed = Vec::new();
    let mut watching: BTreeMap<Uuid, BTreeSet<ExecutionId>> = BTreeMap::new();
    let mut merged = Vec::new();
    for notice in notices {
        match notice {
            Notice::Queued(queue) => drop(queues.insert(queue)),
            Notice::Finished(ids) => finished.extend(ids),
            Notice::Resolved(ids) => resolved.extend(ids),
            Notice::Changed(ids) => changed.extend(ids),
            Notice::Watching(process, ids) => watching.entry(process).or_default().extend(ids),
            other if merged.contains(&other) => {}
            other => merged.push(other),
        }
    }
    merged.extend(queues.into_iter().map(Notice::Queued));
    if !finished.is_empty() {
        merged.push(Notice::Finished(finished));
    }
    if !resolved.is_empty() {
        merged.push(Notice::Resolved(resolved));
    }
    if !changed.is_empty() {
        merged.push(Notice::Changed(changed));
    }
    merged.extend(watching.into_iter().map(|(process, ids)| Notice::Watching(process, ids.into_iter().collect())));
    merged
}
