//! Measures what durability costs, beside a floor of plain SQL taken in the same minute: `cargo bench --bench engine`.
//!
//! `-- w1 enqueue` runs only these workloads, `-- --quick` runs all of them small, to see that they work. Every run begins a
//! fresh server with default durability, prints a table, and writes `bench.json` into the target folder.

mod arguments;
mod cluster;
mod floor;
mod gate;
mod latencies;
mod meter;
mod processes;
mod report;
mod worker_process;
mod workflows;
mod workloads;

use std::process::ExitCode;

use durable::{Result, StepLogLayer};
use tracing::Subscriber;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

use arguments::{Arguments, Scale, Workload};
use cluster::Server;
use report::{Report, Table};

/// The worker's threads, as in the figures that ours are compared with.
const THREADS: usize = 2;

/// What is logged by default: not the executions that a workload has rolled back by the thousand.
const LOGGED: &str = "warn,durable_core::worker::conclude=error";

/// What every workload needs.
struct Bench {
    server: Server,
    scale: Scale,
}

fn main() -> ExitCode {
    let done = match worker_process::database_url() {
        Some(url) => work(&url),
        None => measure(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the bench failed: {error:?}");
            ExitCode::FAILURE
        }
    }
}

fn work(url: &str) -> Result<()> {
    tracing_subscriber::registry().with(to_stderr()).init();
    runtime()?.block_on(worker_process::serve(url))
}

fn measure() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    // The layer costs something, so only the workload that measures it has it.
    let step_logs = arguments.workloads.contains(&Workload::Logs).then(StepLogLayer::new);
    tracing_subscriber::registry().with(to_stderr()).with(step_logs).init();
    let bench = Bench { server: Server::start()?, scale: arguments.scale };
    let mut table = Table::default();
    let mut report = Report::default();
    runtime()?.block_on(async {
        for workload in arguments.workloads {
            match workload {
                Workload::W1 => report.w1 = Some(workloads::throughput::one_step(&bench, &mut table).await?),
                Workload::W2 => report.w2 = Some(workloads::throughput::ten_steps(&bench, &mut table).await?),
                Workload::W3 => report.w3 = Some(workloads::starting::measure(&bench, &mut table).await?),
                Workload::W4 => report.w4 = Some(workloads::waking::measure(&bench, &mut table).await?),
                Workload::W5 => report.w5 = Some(workloads::parking::measure(&bench, &mut table).await?),
                Workload::Enqueue => report.enqueue = Some(workloads::enqueueing::measure(&bench, &mut table).await?),
                Workload::Flows => report.flows = Some(workloads::flows::measure(&bench, &mut table).await?),
                Workload::G4 => report.g4 = Some(workloads::mapping::measure(&bench, &mut table).await?),
                Workload::Early => report.early = Some(workloads::early::measure(&bench, &mut table).await?),
                Workload::Answer => report.answer = Some(workloads::answering::measure(&bench, &mut table).await?),
                Workload::Claims => report.claims = Some(workloads::claims::measure(&bench, &mut table).await?),
                Workload::Schedules => report.schedules = Some(workloads::scheduling::measure(&bench, &mut table).await?),
                Workload::Notices => report.notices = Some(workloads::notices::measure(&bench, &mut table).await?),
                Workload::Sharing => report.sharing = Some(workloads::sharing::measure(&bench, &mut table).await?),
                Workload::Limits => report.limits = Some(workloads::limits::measure(&bench, &mut table).await?),
                Workload::Snapshots => report.snapshots = Some(workloads::snapshots::measure(&bench, &mut table).await?),
                Workload::Backlog => report.backlog = Some(workloads::backlog::measure(&bench, &mut table).await?),
                Workload::Loop => report.looping = Some(workloads::looping::measure(&bench, &mut table).await?),
                Workload::Lists => report.lists = Some(workloads::listing::measure(&bench, &mut table).await?),
                Workload::Idle => report.idle = Some(workloads::idle::measure(&bench, &mut table).await?),
                Workload::Watch => report.watch = Some(workloads::watching::measure(&bench, &mut table).await?),
                Workload::Logs => report.logs = Some(workloads::throughput::with_logs(&bench, &mut table).await?),
                Workload::Replay => report.replay = Some(workloads::replaying::measure(&bench, &mut table).await?),
                Workload::G1 => report.g1 = Some(workloads::graphs::diamonds(&bench, &mut table).await?),
                Workload::G2 => report.g2 = Some(workloads::graphs::thousand(&bench, &mut table).await?),
                Workload::G3 => report.g3 = Some(workloads::graphs::changes(&bench, &mut table).await?),
                Workload::Resume => report.resume = Some(workloads::resuming::measure(&bench, &mut table).await?),
            }
        }
        Ok::<(), durable::Error>(())
    })?;
    if !bench.server.counts_statements() {
        table.note("this server has no pg_stat_statements: transactions that wrote stand in for statements".to_owned());
    }
    table.print()?;
    report.write()
}

fn to_stderr<S: Subscriber + for<'span> LookupSpan<'span>>() -> impl Layer<S> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOGGED));
    tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(filter)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()
}
