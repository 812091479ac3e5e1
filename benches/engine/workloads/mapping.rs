//! What an item of a graph's `each` costs, beside an item of `cx.map` in the same run.

use durable::{Builder, Durable, Result, Workflow};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::gate::Watch;
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::mapping::{EachNumber, EachNumberInputs, MapNumbers};

/// Items of the execution before the measured one.
const WARM_UP: usize = 100;

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// Items per second.
    each_rate: f64,
    map_rate: f64,
    /// How much longer an item of an `each` takes: 1 for as long.
    ratio: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let (mut maps, mut eachs) = (Vec::new(), Vec::new());
    // One after the other, so that a slow minute is slow for both.
    for run in 1..=bench.scale.runs {
        announce(&format!("a map and an each of {} items, run {run} of {}", bench.scale.items, bench.scale.runs));
        maps.push(once::<MapNumbers>(bench, |builder| builder.register(MapNumbers), |numbers| numbers).await?);
        eachs.push(once::<EachNumber>(bench, |builder| builder.register(EachNumber), inputs).await?);
    }
    let (map, each) = (Throughput::median(maps), Throughput::median(eachs));
    table.throughput("map, item", &map, None);
    table.throughput("each, item", &each, Some(&map));
    let ratio = map.rate / each.rate;
    table.note(format!("g4: an item of an each takes {ratio:.2} × as long as an item of a map; at most 1.20 is wanted"));
    Ok(Figures { each_rate: each.rate, map_rate: map.rate, ratio })
}

fn inputs(numbers: Vec<u64>) -> EachNumberInputs {
    EachNumberInputs { numbers: Some(numbers) }
}

/// One execution with all items, in a database of its own.
async fn once<W: Workflow>(
    bench: &Bench,
    register: impl Fn(Builder) -> Builder,
    input: impl Fn(Vec<u64>) -> W::Input,
) -> Result<Throughput> {
    let (url, items) = (bench.server.database().await?, bench.scale.items);
    let numbers = |count: usize| input((0..count as u64).collect());
    let durable = register(Durable::builder().database_url(&url)).start().await?;
    let mut watch = Watch::open(&url).await?;
    durable.start::<W>(numbers(WARM_UP)).await?;
    watch.all_are("completed", 1).await?;

    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    durable.start::<W>(numbers(items)).await?;
    watch.all_are("completed", 2).await?;
    let spent = meter.spent_since(start).await?;
    durable.shutdown().await?;
    Ok(spent.per_item(items))
}
