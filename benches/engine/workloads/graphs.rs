//! Graphs: what a node costs beside a step in sequence, how fast a thousand nodes follow each other, and how soon a value that
//! depends on an input is there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use durable::sqlx::{PgConnection, query_scalar};
use durable::{Durable, ExecutionId, Result};
use serde::Serialize;

use super::announce;
use super::throughput::{self, Load};
use crate::Bench;
use crate::gate::Watch;
use crate::latencies::{Commits, Latencies, settle};
use crate::meter::{Meter, Throughput, uncounted};
use crate::report::Table;
use crate::workflows::graphs::{Chains, Diamond, DiamondInputs, Doubled, DoubledInputs, NODES, STEPS_OF_DIAMOND, name};
use crate::workflows::{ManySteps, STEPS, TenSteps};

/// The length of a chain, if the nodes are in several.
const CHAIN: usize = 25;

/// Inputs that are set before the measured ones.
const WARM_UP: u64 = 10;

/// Open executions with nothing to do.
const OPEN: u64 = 1000;

/// For how long their statements are counted.
const REST: Duration = Duration::from_secs(5);

/// How often to look for a value: small beside a commit.
const LOOK: Duration = Duration::from_micros(50);

/// What a node costs, for each thing that a step in sequence costs 1 of.
#[derive(Debug, Serialize)]
pub(crate) struct Ratios {
    statements: f64,
    transactions: f64,
    wal_bytes: f64,
    cpu: f64,
}

/// G1: full queues of diamonds and of ten steps in sequence, in turn; for each node, and for each step.
pub(crate) async fn diamonds(bench: &Bench, table: &mut Table) -> Result<Ratios> {
    let (diamonds, flows) = (bench.scale.one_step, bench.scale.ten_steps);
    let load = |executions, steps| Load { executions, steps, items: executions * steps };
    let (of_diamonds, of_flows) = (load(diamonds, STEPS_OF_DIAMOND), load(flows, STEPS));
    let (mut steps, mut nodes) = (Vec::new(), Vec::new());
    for run in 1..=bench.scale.runs {
        announce(&format!("G1 {diamonds} diamonds, run {run} of {}", bench.scale.runs));
        steps.push(throughput::engine(bench, &of_flows, |progress| TenSteps { progress }, |number| number).await?);
        let inputs = |number| DiamondInputs { one: Some(number), other: Some(1) };
        nodes.push(throughput::engine(bench, &of_diamonds, |progress| Diamond { progress }, inputs).await?);
    }
    let (step, node) = (Throughput::median(steps), Throughput::median(nodes));
    table.throughput("G1 node of five", &node, Some(&step));
    table.throughput("G1 step of ten", &step, None);
    let ratios = Ratios {
        statements: node.statements / step.statements,
        transactions: node.transactions / step.transactions,
        wal_bytes: node.wal_bytes / step.wal_bytes,
        cpu: node.cpu_us() / step.cpu_us(),
    };
    let Ratios { statements, transactions, wal_bytes, cpu } = &ratios;
    table.note(format!(
        "G1: a node costs {statements:.2} × the statements of a step in sequence, {transactions:.2} × the transactions, \
         {wal_bytes:.2} × the WAL, {cpu:.2} × the CPU"
    ));
    Ok(ratios)
}

/// The entry of a thousand nodes, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Thousand {
    chain_ms: f64,
    flow_of_as_many_steps_ms: f64,
    change_p50_ms: f64,
    commit_p50_ms: f64,
    nodes_in_cone: usize,
    nodes_run_per_change: f64,
}

/// G2: a thousand nodes in one chain, and one change of a thousand nodes in many chains.
pub(crate) async fn thousand(bench: &Bench, table: &mut Table) -> Result<Thousand> {
    announce("G2 a thousand nodes");
    let url = bench.server.database().await?;
    let (chain, chains) = (Chains::<NODES>::default(), Chains::<CHAIN>::default());
    let builder = Durable::builder().database_url(&url).register(chain).register(chains.clone());
    let durable = builder.register(ManySteps).start().await?;
    let (mut ends, mut flows, mut changes) = (Latencies::default(), Latencies::default(), Latencies::default());
    let mut commits = Commits::open(&url).await?;
    let inputs = |length| (0..NODES).step_by(length).map(|node| (name(node).to_owned(), 0)).collect::<BTreeMap<_, _>>();
    durable.start::<Chains<NODES>>(inputs(NODES)).await?.result().await?;
    for _ in 0..bench.scale.runs {
        let start = Instant::now();
        durable.start::<Chains<NODES>>(inputs(NODES)).await?.result().await?;
        ends.push_since(start);
        let start = Instant::now();
        durable.start::<ManySteps>(NODES as u64 - 1).await?.result().await?;
        flows.push_since(start);
    }

    let id = durable.start::<Chains<CHAIN>>(inputs(CHAIN)).await?.id();
    let mut reader = Reader::open(&url).await?;
    reader.until(id, name(NODES - 1), 0).await?;
    Watch::open(&url).await?.all_are("waiting", 1).await?;
    let all = NODES - NODES / CHAIN;
    let (mut ran, events) = (chains.ran(), bench.scale.events);
    assert_eq!(ran, all, "every step runs once");
    for number in 1..=events as u64 {
        commits.commit().await?;
        settle().await;
        let start = Instant::now();
        durable.set_inputs(id).set(name(0), &number).await?;
        reader.until(id, name(CHAIN - 1), number).await?;
        changes.push_since(start);
    }
    ran = chains.ran() - ran;
    durable.shutdown().await?;

    let commits = commits.latencies;
    table.latency(&format!("G2 chain of {NODES} nodes"), &ends, Some(&commits));
    table.latency("G2 flow of as many steps in sequence", &flows, Some(&commits));
    table.latency(&format!("G2 one of {} inputs to the end of its {CHAIN}", NODES / CHAIN), &changes, Some(&commits));
    table.latency("G2 commit of one row", &commits, None);
    let nodes_run_per_change = ran as f64 / events as f64;
    table.note(format!("G2: a change of an input before {} of {all} steps runs {nodes_run_per_change} steps", CHAIN - 1));
    Ok(Thousand {
        chain_ms: ends.p50(),
        flow_of_as_many_steps_ms: flows.p50(),
        change_p50_ms: changes.p50(),
        commit_p50_ms: commits.p50(),
        nodes_in_cone: CHAIN - 1,
        nodes_run_per_change,
    })
}

/// The entry of changes.
#[derive(Debug, Serialize)]
pub(crate) struct Changes {
    change_p50_ms: f64,
    change_p95_ms: f64,
    commit_p50_ms: f64,
    statements_with_open_executions: f64,
    statements_without: f64,
}

/// G3: from an input until another connection reads the value that depends on it, and what open executions at rest cost.
pub(crate) async fn changes(bench: &Bench, table: &mut Table) -> Result<Changes> {
    announce("G3 a change of an open graph, and a thousand at rest");
    let url = bench.server.database().await?;
    let durable = Durable::builder().database_url(&url).register(Doubled).start().await?;
    let without = statements(bench, &url).await?;
    durable.start_many::<Doubled>((0..OPEN).map(|number| DoubledInputs { number: Some(number) })).await?;
    let mut watch = Watch::open(&url).await?;
    watch.all_are("waiting", OPEN as usize).await?;
    let with = statements(bench, &url).await?;

    let (mut commits, mut changes) = (Commits::open(&url).await?, Latencies::default());
    let id = durable.start::<Doubled>(DoubledInputs { number: Some(0) }).await?.id();
    let mut reader = Reader::open(&url).await?;
    for number in 1..=WARM_UP + bench.scale.events as u64 {
        commits.commit().await?;
        watch.all_are("waiting", OPEN as usize + 1).await?;
        settle().await;
        let start = Instant::now();
        durable.set_inputs(id).set("number", &number).await?;
        reader.until(id, "double", 2 * number).await?;
        if number > WARM_UP {
            changes.push_since(start);
        }
    }
    durable.shutdown().await?;

    let commits = commits.latencies;
    table.latency("G3 input to dependent value, elsewhere", &changes, Some(&commits));
    table.latency("G3 commit of one row", &commits, None);
    table.note(format!("G3: statements in {REST:?}: {without:.0} of a process at rest, {with:.0} with {OPEN} open graphs"));
    Ok(Changes {
        change_p50_ms: changes.p50(),
        change_p95_ms: changes.p95(),
        commit_p50_ms: commits.p50(),
        statements_with_open_executions: with,
        statements_without: without,
    })
}

/// The statements of all processes in a while.
async fn statements(bench: &Bench, url: &str) -> Result<f64> {
    let mut meter = Meter::open(&bench.server, url).await?;
    let start = meter.start().await?;
    tokio::time::sleep(REST).await;
    Ok(meter.spent_since(start).await?.statements)
}

/// Reads values over a connection of its own.
struct Reader {
    connection: PgConnection,
}

impl Reader {
    async fn open(url: &str) -> Result<Self> {
        Ok(Self { connection: uncounted(url).await? })
    }

    /// Returns when the node has this value.
    async fn until(&mut self, id: ExecutionId, node: &str, number: u64) -> Result<()> {
        let read = "select value::text from durable.execution_values where execution_id = $1 and name = $2";
        loop {
            let read = query_scalar(read).bind(id.as_uuid()).bind(node);
            let value: Option<String> = read.fetch_optional(&mut self.connection).await?;
            if value.is_some_and(|value| value == number.to_string()) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
