//! `durable bench`: measures how many executions a second this database records, and how long one takes, from this machine.

use std::io::Write;
use std::time::{Duration, Instant};

use clap::Args;
use durable::observer::{ExecutionCompleted, ExecutionFailed, Observer};
use durable::prelude::*;
use serde::Serialize;
use tokio::sync::watch;

use crate::connection::Connection;
use crate::failure::Failure;
use crate::screen::{Format, Screen};

/// The workflow that is measured, and its queue: no worker of an application knows either.
const NAME: &str = "durable_bench";

/// Executions started by one statement.
const BATCH: usize = 500;

/// Executions between two words of progress.
const PROGRESS: u32 = 10_000;

/// Executions that are started one after the other.
const ALONE: usize = 200;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many executions to run, each with one step; they are deleted afterwards
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "NUMBER")]
    executions: u32,
    /// How many at once
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..), value_name = "SLOTS")]
    concurrency: u16,
}

/// One step, which does nothing.
struct Probe;

#[workflow(name = "durable_bench", queue = "durable_bench")]
impl Probe {
    async fn run(&self, _cx: &Context, number: u32) -> Result<u32> {
        self.count(number).await
    }

    #[step]
    async fn count(&self, number: u32) -> Result<u32> {
        Ok(number)
    }
}

/// Counts what has ended.
struct Ends(watch::Sender<u32>);

impl Observer for Ends {
    fn on_complete(&self, _: &ExecutionCompleted) {
        self.0.send_modify(|ended| *ended += 1);
    }

    fn on_failure(&self, _: &ExecutionFailed) {
        self.0.send_modify(|ended| *ended += 1);
    }
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    executions: u32,
    seconds: f64,
    per_second: f64,
    alone: Alone,
}

/// How long a lone execution takes, from its start to its result.
#[derive(Debug, Serialize)]
struct Alone {
    p50_ms: f64,
    p99_ms: f64,
}

pub(crate) async fn carry_out(options: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    if screen.format == Format::Ids {
        return Err(Failure::usage("what was measured has no ids; leave `-o ids` out"));
    }
    let (ends, ended) = watch::channel(0);
    let builder = connection.builder()?.max_connections(11).queue(NAME, options.concurrency.into()).observe(Ends(ends));
    let durable = builder.register(Probe).start().await.map_err(Failure::of_connecting)?;
    // An earlier run that was interrupted may have left executions.
    clear(&durable).await?;
    let measured = measure(&durable, options.executions, ended).await;
    let cleared = clear(&durable).await;
    durable.shutdown().await?;
    cleared?;
    let Measured { executions, seconds, per_second, alone } = measured?;
    match screen.format {
        Format::Json => screen.json_line(&Measured { executions, seconds, per_second, alone }),
        _ => {
            screen.line(format!("{executions} executions of one step in {seconds:.2} s: {per_second:.0} a second"))?;
            screen.line(format!("one alone: {:.2} ms at the median, {:.2} ms at the 99th percentile", alone.p50_ms, alone.p99_ms))
        }
    }
}

/// Cancels the open executions of the measured workflow, and deletes all of its executions.
async fn clear(durable: &Durable) -> Result<()> {
    for state in [ExecutionState::Pending, ExecutionState::Running] {
        loop {
            let open = durable.list_executions().workflow(NAME).state(state).await?.executions;
            if open.is_empty() {
                break;
            }
            for execution in open {
                match durable.cancel(execution.id, "it was only for measuring").await {
                    Err(error) if error.kind() != ErrorKind::Finished => return Err(error),
                    _ => {}
                }
            }
        }
    }
    durable.prune(Duration::ZERO).workflow(NAME).await?;
    Ok(())
}

async fn measure(durable: &Durable, executions: u32, ended: watch::Receiver<u32>) -> Result<Measured> {
    let seconds = together(durable, executions, ended).await?.as_secs_f64();
    let alone = alone(durable).await?;
    Ok(Measured { executions, seconds, per_second: f64::from(executions) / seconds, alone })
}

/// How long so many executions take that are started in batches, until the last has ended.
async fn together(durable: &Durable, executions: u32, mut ended: watch::Receiver<u32>) -> Result<Duration> {
    let before = *ended.borrow();
    let began = Instant::now();
    for numbers in (0..executions).collect::<Vec<_>>().chunks(BATCH) {
        durable.start_many::<Probe>(numbers.to_vec()).await?;
    }
    for milestone in (PROGRESS..executions).step_by(PROGRESS as usize).chain([executions]) {
        // The engine, which has the sender, outlives this.
        let reached = ended.wait_for(|ended| ended - before >= milestone).await.is_ok();
        if reached && milestone < executions {
            // Progress is only shown. If nothing shows it, nothing is lost.
            writeln!(std::io::stderr(), "{milestone} executions have ended so far").ok();
        }
    }
    Ok(began.elapsed())
}

async fn alone(durable: &Durable) -> Result<Alone> {
    let mut took = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let began = Instant::now();
        durable.start::<Probe>(0).await?.result().await?;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    let percentile = |percent: usize| took.get(took.len() * percent / 100).copied().unwrap_or_default().as_secs_f64() * 1e3;
    Ok(Alone { p50_ms: percentile(50), p99_ms: percentile(99) })
}
