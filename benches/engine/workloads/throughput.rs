//! W1 and W2, and W2 with logs: a full queue of executions, until the last is completed.

use durable::{Durable, Result, Workflow};
use serde::Serialize;

use super::{announce, enqueue_with};
use crate::Bench;
use crate::floor::Floor;
use crate::gate::{Gate, Watch};
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::{OneStep, Progress, STEPS, Talking, TenSteps};

/// Executions under way at once: enough that every flush is full while the next one fills.
const CONCURRENCY: usize = 2000;

/// Executions that open connections and prepare statements, before the measured ones.
const WARM_UP: usize = 200;

/// The entry of the report; costs are for each item.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    rate: f64,
    floor_rate: f64,
    statements: f64,
    transactions: f64,
    wal_bytes: f64,
    cpu_us: f64,
    worker_cpu_us: f64,
    postgres_cpu_us: f64,
}

/// What is run.
pub(super) struct Load {
    pub(super) executions: usize,
    /// Checkpoints of each execution.
    pub(super) steps: usize,
    /// Whether an item is a step, or a whole execution.
    pub(super) items: usize,
}

/// W1: executions of one step, for each execution.
pub(crate) async fn one_step(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let executions = bench.scale.one_step;
    let load = Load { executions, steps: 1, items: executions };
    measure(bench, table, "W1 one step", &load, |progress| OneStep { progress }).await
}

/// W2: executions of ten steps in sequence, for each step.
pub(crate) async fn ten_steps(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let executions = bench.scale.ten_steps;
    let load = Load { executions, steps: STEPS, items: executions * STEPS };
    measure(bench, table, "W2 step of ten", &load, |progress| TenSteps { progress }).await
}

/// The entry of steps that log.
#[derive(Debug, Serialize)]
pub(crate) struct WithLogs {
    silent_rate: f64,
    talking_rate: f64,
}

/// W2 with ten lines in the log of each step, beside W2 with none.
pub(crate) async fn with_logs(bench: &Bench, table: &mut Table) -> Result<WithLogs> {
    let executions = bench.scale.ten_steps;
    let load = Load { executions, steps: STEPS, items: executions * STEPS };
    let (mut silent, mut talking) = (Vec::new(), Vec::new());
    for run in 1..=bench.scale.runs {
        announce(&format!("W2 with logs, run {run} of {}", bench.scale.runs));
        silent.push(engine(bench, &load, |progress| TenSteps { progress }, |number| number).await?);
        talking.push(engine(bench, &load, |progress| Talking { progress }, |number| number).await?);
    }
    let (silent, talking) = (Throughput::median(silent), Throughput::median(talking));
    table.throughput("W2, ten lines in each log", &talking, Some(&silent));
    table.throughput("W2, silent", &silent, None);
    Ok(WithLogs { silent_rate: silent.rate, talking_rate: talking.rate })
}

async fn measure<W: Workflow<Input = u64>>(
    bench: &Bench,
    table: &mut Table,
    name: &str,
    load: &Load,
    workflow: impl Fn(Progress) -> W,
) -> Result<Figures> {
    let (mut floors, mut engines) = (Vec::new(), Vec::new());
    for run in 1..=bench.scale.runs {
        announce(&format!("{name}, run {run} of {}", bench.scale.runs));
        floors.push(floor(bench, load).await?);
        engines.push(engine(bench, load, &workflow, |number| number).await?);
    }
    let (floor, engine) = (Throughput::median(floors), Throughput::median(engines));
    table.throughput(name, &engine, Some(&floor));
    table.throughput(&format!("{name}, floor"), &floor, None);
    Ok(Figures {
        rate: engine.rate,
        floor_rate: floor.rate,
        statements: engine.statements,
        transactions: engine.transactions,
        wal_bytes: engine.wal_bytes,
        cpu_us: engine.cpu_us(),
        worker_cpu_us: engine.worker_cpu_us,
        postgres_cpu_us: engine.postgres_cpu_us,
    })
}

/// Works off a full queue of executions that are started with these inputs, by their numbers.
pub(super) async fn engine<W: Workflow>(
    bench: &Bench,
    load: &Load,
    workflow: impl Fn(Progress) -> W,
    input: impl Fn(u64) -> W::Input,
) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let progress = Progress::default();
    let worker =
        Durable::builder().database_url(&url).queue(W::QUEUE, CONCURRENCY).register(workflow(progress.clone())).start().await?;
    let client = Durable::builder().database_url(&url).start().await?;
    let mut watch = Watch::open(&url).await?;
    enqueue_with::<W>(&client, WARM_UP, &input).await?;
    watch.all_are("completed", WARM_UP).await?;

    let gate = Gate::close(&url).await?;
    enqueue_with::<W>(&client, load.executions, &input).await?;
    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    gate.open().await?;
    progress.reached(WARM_UP + load.executions).await;
    watch.all_are("completed", WARM_UP + load.executions).await?;
    let spent = meter.spent_since(start).await?;

    client.shutdown().await?;
    worker.shutdown().await?;
    Ok(spent.per_item(load.items))
}

async fn floor(bench: &Bench, load: &Load) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let mut floor = Floor::open(&url).await?;
    floor.insert(WARM_UP).await?;
    floor.complete_all(load.steps).await?;

    floor.insert(load.executions).await?;
    floor.analyze().await?;
    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    floor.complete_all(load.steps).await?;
    Ok(meter.spent_since(start).await?.per_item(load.items))
}
