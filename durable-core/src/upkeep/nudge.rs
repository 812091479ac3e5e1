//! Has runs look at their waits when somebody says that one of them is over.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::ids::ExecutionId;
use crate::worker::Worker;

/// Passes on what is heard; a run that is told nothing looks at every poll interval.
pub(super) async fn nudge(worker: Arc<Worker>, nudges: &mut mpsc::UnboundedReceiver<Vec<ExecutionId>>) {
    while let Some(ids) = nudges.recv().await {
        worker.nudge(&ids);
    }
}
