//! Takes up executions that this worker holds in the database without knowing it: the answer to their claim was lost.

use std::sync::Arc;

use super::process::Process;
use super::take_up::{stop_each_unreadable, take_up};
use crate::model::Claimed;

/// While it lives, the process asks the database what it holds.
struct Asking<'process, P: Process>(&'process P);

/// Asks the database which executions this process holds and does not know, and runs them. No claim may be in flight meanwhile.
pub(crate) async fn adopt<P: Process>(process: &Arc<P>) -> Result<(), sqlx::Error> {
    let (known, have_run) = process.held().take_doubts();
    let asking = Asking(&**process);
    let held = match process.ask_for_held(&known).await {
        Ok(held) => held,
        Err(error) => {
            process.held().doubt(have_run);
            return Err(error);
        }
    };
    drop(asking);
    stop_each_unreadable(process, held.unreadable);
    let with_slots = held.adopted.into_iter().filter_map(|claimed| {
        tracing::info!(execution_id = %claimed.id, "takes up an execution that this worker holds and does not run");
        let slot = process.slot_in(&claimed.queue)?;
        Some((Claimed { answer_lost: !have_run.contains(&claimed.id), ..claimed }, slot))
    });
    let with_slots = with_slots.collect::<Vec<_>>();
    if held.passed_over {
        process.held().doubt(have_run);
    }
    take_up(process, with_slots);
    Ok(())
}

impl<P: Process> Drop for Asking<'_, P> {
    fn drop(&mut self) {
        self.0.held().end_asking();
    }
}
