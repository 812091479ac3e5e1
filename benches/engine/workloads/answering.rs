//! Answers of 4 MiB: how long it takes to judge one, and how much it delays unrelated executions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use durable::{Durable, Error, ExecutionHandle, ExecutionState, PAYLOAD_LIMIT, Result};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::latencies::Latencies;
use crate::report::Table;
use crate::workflows::{OneStep, Survey};

/// Length of each text in the answer.
const TEXT: usize = 60;

/// How long an execution that gets its answer early is delayed at its start.
const HELD_BACK: Duration = Duration::from_millis(500);

/// Answers of each kind, for each run.
const ANSWERS: usize = 5;

/// How often to look whether an execution waits.
const LOOK: Duration = Duration::from_millis(1);

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    bytes: usize,
    given_p50_ms: f64,
    taken_p50_ms: f64,
    early_p50_ms: f64,
    unrelated_quiet_p50_ms: f64,
    unrelated_quiet_p99_ms: f64,
    unrelated_meanwhile_p50_ms: f64,
    unrelated_meanwhile_p99_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    announce("answers of 4 MiB, and unrelated executions meanwhile");
    let url = bench.server.database().await?;
    let durable = Durable::builder().database_url(&url).register(Survey).register(OneStep::default()).start().await?;
    let texts = texts();
    let (mut quiet, mut meanwhile) = (Latencies::default(), Latencies::default());
    for _ in 0..bench.scale.starts {
        unrelated(&durable, &mut quiet).await?;
    }
    let (mut given, mut taken, mut early) = (Latencies::default(), Latencies::default(), Latencies::default());
    for _ in 0..bench.scale.runs * ANSWERS {
        let (at_the_door, until_the_end) =
            beside(&durable, &mut meanwhile, answer_when_asked(durable.clone(), texts.clone())).await?;
        given.push(at_the_door.as_secs_f64() * 1e3);
        taken.push(until_the_end.as_secs_f64() * 1e3);
        let until_the_end = beside(&durable, &mut meanwhile, answer_early(durable.clone(), texts.clone())).await?;
        early.push(until_the_end.as_secs_f64() * 1e3);
    }
    durable.shutdown().await?;

    table.latency("Answer of 4 MiB, given", &given, None);
    table.latency("Answer of 4 MiB, from there to the result", &taken, None);
    table.latency("Answer of 4 MiB, early, from due to the result", &early, None);
    table.latency("Unrelated start to result, quiet", &quiet, None);
    table.latency("Unrelated start to result, meanwhile", &meanwhile, Some(&quiet));
    Ok(Figures {
        bytes: texts.iter().map(|text| text.len() + 3).sum::<usize>() + 1,
        given_p50_ms: given.p50(),
        taken_p50_ms: taken.p50(),
        early_p50_ms: early.p50(),
        unrelated_quiet_p50_ms: quiet.p50(),
        unrelated_quiet_p99_ms: quiet.p99(),
        unrelated_meanwhile_p50_ms: meanwhile.p50(),
        unrelated_meanwhile_p99_ms: meanwhile.p99(),
    })
}

/// The longest answer of such texts: each has two quotation marks and a comma.
fn texts() -> Arc<Vec<String>> {
    Arc::new(vec!["x".repeat(TEXT); (PAYLOAD_LIMIT - 2) / (TEXT + 3)])
}

/// How long it takes to give the answer, and from there to the result.
async fn answer_when_asked(durable: Durable, texts: Arc<Vec<String>>) -> Result<(Duration, Duration)> {
    let handle = durable.start::<Survey>(0).await?;
    until_waiting(&handle).await?;
    let begun = Instant::now();
    durable.provide_input(handle.id(), "texts", &*texts).await?;
    let given = begun.elapsed();
    check(handle.result().await?, &texts)?;
    Ok((given, begun.elapsed() - given))
}

/// How long it takes from when the execution may begin to its result, with the answer in the mailbox.
async fn answer_early(durable: Durable, texts: Arc<Vec<String>>) -> Result<Duration> {
    let handle = durable.start::<Survey>(0).delay(HELD_BACK).await?;
    let started = Instant::now();
    durable.provide_input(handle.id(), "texts", &*texts).await?;
    check(handle.result().await?, &texts)?;
    Ok(started.elapsed().saturating_sub(HELD_BACK))
}

fn check(counted: usize, texts: &[String]) -> Result<()> {
    if counted == texts.len() { Ok(()) } else { Err(Error::new(format!("{counted} texts were read"))) }
}

/// Does the work in a separate task, and starts unrelated executions until it is done.
async fn beside<T: Send + 'static>(
    durable: &Durable,
    meanwhile: &mut Latencies,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let work = tokio::spawn(work);
    while !work.is_finished() {
        unrelated(durable, meanwhile).await?;
    }
    work.await.map_err(|error| Error::new(error.to_string()))?
}

async fn unrelated(durable: &Durable, latencies: &mut Latencies) -> Result<()> {
    let begun = Instant::now();
    durable.start::<OneStep>(0).await?.result().await?;
    latencies.push_since(begun);
    Ok(())
}

async fn until_waiting(handle: &ExecutionHandle<Survey>) -> Result<()> {
    while handle.execution().await?.state != ExecutionState::Waiting {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
