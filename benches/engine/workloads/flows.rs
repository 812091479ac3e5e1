//! What a flow can say, each beside its cost for a step: ten branches, many items, a saga, children, a transaction.

use durable::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};
use durable::{Builder, Durable, Result, Workflow};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::gate::Watch;
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::STEPS;
use crate::workflows::flows::{CHILDREN, DEPOSITS, Deposit, JoinTen, MapItems, OnlyChild, Parent, SagaOfTen};

/// Executions under way at once.
const CONCURRENCY: usize = 200;

/// Executions that open connections and prepare statements, before the measured ones.
const WARM_UP: usize = 5;

/// The entry of the report. An item is a step, with its compensation if it is undone, or a child.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    join_of_ten: Cost,
    map: Cost,
    saga_of_ten: Cost,
    hundred_children: Cost,
    transactional_step: Cost,
}

/// What an item costs.
#[derive(Debug, Serialize)]
pub(crate) struct Cost {
    rate: f64,
    statements: f64,
    transactions: f64,
    wal_bytes: f64,
    cpu_us: f64,
}

/// What is run: executions with these inputs, until all are in a state.
struct Load<W: Workflow> {
    name: &'static str,
    inputs: Vec<W::Input>,
    warm_up: Vec<W::Input>,
    state: &'static str,
    items: usize,
    /// Executions that end for each that is started.
    ends: usize,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let flows = bench.scale.flows;
    let numbers = |count: usize| (0..count as u64).collect::<Vec<u64>>();
    let join = Load::<JoinTen> {
        name: "join of 10, step",
        inputs: numbers(flows),
        warm_up: numbers(WARM_UP),
        state: "completed",
        items: flows * 10,
        ends: 1,
    };
    let items = bench.scale.items;
    let map = Load::<MapItems> {
        name: "map, item",
        inputs: vec![(items as u64, false)],
        warm_up: vec![(100, false)],
        state: "completed",
        items,
        ends: 1,
    };
    let saga = Load::<SagaOfTen> {
        name: "saga of 10, step and undo",
        inputs: numbers(flows),
        warm_up: numbers(WARM_UP),
        state: "compensated",
        items: flows * STEPS,
        ends: 1,
    };
    let parents = flows.div_ceil(50);
    let children = Load::<Parent> {
        name: "parent of 100, child",
        inputs: numbers(parents),
        warm_up: numbers(1),
        state: "completed",
        items: parents * CHILDREN as usize,
        ends: 1 + CHILDREN as usize,
    };
    let transaction = Load::<Deposit> {
        name: "transactional step",
        inputs: numbers(flows),
        warm_up: numbers(WARM_UP),
        state: "completed",
        items: flows,
        ends: 1,
    };
    Ok(Figures {
        join_of_ten: run(bench, table, join, |builder| builder.register(JoinTen)).await?,
        map: run(bench, table, map, |builder| builder.register(MapItems)).await?,
        saga_of_ten: run(bench, table, saga, |builder| builder.register(SagaOfTen)).await?,
        hundred_children: run(bench, table, children, |builder| builder.register(Parent).register(OnlyChild)).await?,
        transactional_step: run(bench, table, transaction, |builder| builder.register(Deposit)).await?,
    })
}

async fn run<W: Workflow<Input: Clone>>(
    bench: &Bench,
    table: &mut Table,
    load: Load<W>,
    register: impl Fn(Builder) -> Builder,
) -> Result<Cost> {
    let mut runs = Vec::new();
    for run in 1..=bench.scale.runs {
        announce(&format!("{}, run {run} of {}", load.name, bench.scale.runs));
        runs.push(once(bench, &load, &register).await?);
    }
    let median = Throughput::median(runs);
    table.throughput(load.name, &median, None);
    Ok(Cost {
        rate: median.rate,
        statements: median.statements,
        transactions: median.transactions,
        wal_bytes: median.wal_bytes,
        cpu_us: median.cpu_us(),
    })
}

async fn once<W: Workflow<Input: Clone>>(
    bench: &Bench,
    load: &Load<W>,
    register: impl Fn(Builder) -> Builder,
) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let mut connection = PgConnection::connect(&url).await?;
    connection.execute(raw_sql(AssertSqlSafe(DEPOSITS))).await?;
    connection.close().await?;
    let mut builder = register(Durable::builder().database_url(&url)).queue("default", CONCURRENCY);
    if W::QUEUE != "default" {
        builder = builder.queue(W::QUEUE, CONCURRENCY);
    }
    let durable = builder.start().await?;
    let mut watch = Watch::open(&url).await?;
    let warmed_up = load.warm_up.len() * load.ends;
    durable.start_many::<W>(load.warm_up.clone()).await?;
    watch.all_are(load.state, warmed_up).await?;

    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    durable.start_many::<W>(load.inputs.clone()).await?;
    watch.all_are(load.state, warmed_up + load.inputs.len() * load.ends).await?;
    let spent = meter.spent_since(start).await?;
    durable.shutdown().await?;
    Ok(spent.per_item(load.items))
}
