//! What an item of a graph's `each` costs, and how soon an `each` is resumed, beside `cx.map` in the same run.

use std::time::{Duration, Instant};

use durable::{Builder, Durable, Result, Workflow};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::gate::Watch;
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::Progress;
use crate::workflows::mapping::{EachNumber, EachNumberInputs, MapNumbers};

/// How many items run before the measurement begins, and how many a stopped worker leaves for the next one.
const WARM_UP: usize = 100;

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// Items per second.
    each_rate: f64,
    map_rate: f64,
    /// How much longer an item of an `each` takes: 1 for as long.
    ratio: f64,
    /// From the start of another worker to the result, with all items but the last hundred on record.
    each_resumed_ms: f64,
    map_resumed_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let (mut maps, mut eachs) = (Runs::default(), Runs::default());
    // One after the other, so that a slow minute is slow for both.
    for run in 1..=bench.scale.runs {
        announce(&format!("a map and an each of {} items, run {run} of {}", bench.scale.items, bench.scale.runs));
        maps.add::<MapNumbers>(bench, map, |numbers| numbers).await?;
        eachs.add::<EachNumber>(bench, each, |numbers| EachNumberInputs { numbers: Some(numbers) }).await?;
    }
    let (map_resumed_ms, each_resumed_ms) = (maps.resumed_ms(), eachs.resumed_ms());
    let (map, each) = (Throughput::median(maps.spent), Throughput::median(eachs.spent));
    table.throughput("map, item", &map, None);
    table.throughput("each, item", &each, Some(&map));
    let ratio = map.rate / each.rate;
    table.note(format!(
        "g4: an item of an each takes {ratio:.2} × as long as an item of a map (at most 1.20 is wanted); almost done, another worker ends \
         the each in {each_resumed_ms:.0} ms and the map in {map_resumed_ms:.0} ms"
    ));
    Ok(Figures { each_rate: each.rate, map_rate: map.rate, ratio, each_resumed_ms, map_resumed_ms })
}

fn map(builder: Builder, progress: Progress) -> Builder {
    builder.register(MapNumbers { progress })
}

fn each(builder: Builder, progress: Progress) -> Builder {
    builder.register(EachNumber { progress })
}

/// What was measured of one workflow.
#[derive(Default)]
struct Runs {
    spent: Vec<Throughput>,
    resumed: Vec<Duration>,
}

impl Runs {
    async fn add<W: Workflow>(
        &mut self,
        bench: &Bench,
        register: impl Fn(Builder, Progress) -> Builder,
        input: impl Fn(Vec<u64>) -> W::Input,
    ) -> Result<()> {
        let (url, items) = (bench.server.database().await?, bench.scale.items);
        let numbers = |count: usize| input((0..count as u64).collect());
        let build = |progress: &Progress| register(Durable::builder().database_url(&url), progress.clone());
        let progress = Progress::default();
        let durable = build(&progress).start().await?;
        let mut watch = Watch::open(&url).await?;
        durable.start::<W>(numbers(WARM_UP)).await?;
        watch.all_are("completed", 1).await?;

        let mut meter = Meter::open(&bench.server, &url).await?;
        let start = meter.start().await?;
        durable.start::<W>(numbers(items)).await?;
        watch.all_are("completed", 2).await?;
        self.spent.push(meter.spent_since(start).await?.per_item(items));

        let stopped = durable.start::<W>(numbers(items)).await?.id();
        // All but the last hundred of the third execution.
        progress.reached(2 * items).await;
        durable.shutdown().await?;
        let began = Instant::now();
        let durable = build(&progress).start().await?;
        durable.handle::<W>(stopped).result().await?;
        self.resumed.push(began.elapsed());
        durable.shutdown().await
    }

    fn resumed_ms(&mut self) -> f64 {
        self.resumed.sort();
        self.resumed[self.resumed.len() / 2].as_secs_f64() * 1e3
    }
}
