//! Deletes what ended long ago, of workflows whose executions are not kept for ever.

use std::sync::Arc;
use std::time::Duration;

use chrono::Datelike as _;
use uuid::Uuid;

use super::turns::Duties;
use crate::store::duties::{self, Turn};
use crate::store::prune::{self, Old};
use crate::worker::Worker;

/// Most rows deleted by one statement: it holds its locks for some milliseconds.
const BATCH: i64 = 1000;

/// Upper bound on how long a row stays after its retention is over.
const PERIOD: Duration = Duration::from_secs(10 * 60);

/// How long an execution may have run and still be found by the next turn. Executions that ran longer are found once a day, when all
/// rows are read.
const REACH: Duration = Duration::from_secs(60 * 60);

/// One kind of row, and how long it is kept.
struct Kept {
    duty: String,
    /// The workflow whose executions they are; keys of publications belong to none.
    workflow: Option<&'static str>,
    age: Duration,
}

pub(crate) async fn prune(worker: Arc<Worker>) {
    let kept = kept(&worker);
    let names: Vec<&str> = kept.iter().map(|kept| kept.duty.as_str()).collect();
    if names.is_empty() {
        return;
    }
    let duties = Duties { names: &names, period: PERIOD };
    loop {
        for turn in duties.turns(&worker).await {
            let Some(kept) = kept.iter().find(|kept| kept.duty == turn.duty) else { continue };
            if let Err(error) = carry_out(&worker, kept, &turn).await {
                tracing::warn!(duty = turn.duty, %error, "cannot delete what ended long ago; the next turn makes up for it");
            }
        }
    }
}

async fn carry_out(worker: &Worker, kept: &Kept, turn: &Turn) -> Result<(), sqlx::Error> {
    match kept.workflow {
        Some(workflow) => prune_workflow(worker, workflow, kept.age, turn).await?,
        None => prune_publications(worker, kept.age).await?,
    }
    duties::finish(&worker.store, &worker.store.pool, turn).await
}

fn kept(worker: &Worker) -> Vec<Kept> {
    let default = worker.options.retention;
    let workflows = worker.registry.retentions(default).map(|(workflow, age)| Kept {
        duty: format!("prune executions of {workflow}"),
        workflow: Some(workflow),
        age,
    });
    let publications = default.map(|age| Kept { duty: "prune publications".to_owned(), workflow: None, age });
    workflows.chain(publications).collect()
}

async fn prune_workflow(worker: &Worker, workflow: &str, age: Duration, turn: &Turn) -> Result<(), sqlx::Error> {
    let store = &worker.store;
    let old = Old { age, workflow: Some(workflow.to_owned()), states: None };
    // Rows that are kept for other reasons are not read again at every turn. A turn that failed, or died with its worker, does
    // not count.
    let last = turn.last_done.filter(|last| last.num_days_from_ce() == turn.taken_at.num_days_from_ce());
    let mut after = last.map_or(Uuid::nil(), |last| prune::first_id(last, age.saturating_add(REACH)).as_uuid());
    let before = prune::first_id(turn.taken_at, age);
    let mut executions = 0;
    loop {
        let gone = prune::executions(store, &store.pool, &old, (after, before), BATCH).await?;
        executions += gone.executions;
        let Some(last) = gone.last else { break };
        after = last.as_uuid();
        duties::hold(store, &store.pool, turn, PERIOD).await?;
    }
    if executions > 0 {
        tracing::info!(workflow, executions, "deleted executions that ended longer than {age:?} ago");
    }
    while prune::firings(store, &store.pool, workflow, age, BATCH).await? > 0 {}
    Ok(())
}

async fn prune_publications(worker: &Worker, age: Duration) -> Result<(), sqlx::Error> {
    let store = &worker.store;
    while prune::publications(store, &store.pool, age, BATCH).await? > 0 {}
    Ok(())
}
