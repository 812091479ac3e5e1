//! How long an execution takes for events that were sent before it waits for them, by their number.

use std::time::{Duration, Instant};

use durable::{Durable, Error, Result, Workflow};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::report::Table;
use crate::workflows::early::{AllAtOnce, OneByOne};

/// The numbers of events; the last is what a thousand callers send while no worker runs.
const EVENTS: [u64; 3] = [250, 500, 1000];

/// The entry of the report: milliseconds from the worker's start to the result, by the number of events.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    all_at_once_ms: Vec<(u64, f64)>,
    one_by_one_ms: Vec<(u64, f64)>,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let mut figures = Figures { all_at_once_ms: Vec::new(), one_by_one_ms: Vec::new() };
    for events in EVENTS {
        announce(&format!("{events} early events"));
        let (at_once, one_by_one) = (take::<AllAtOnce>(bench, events).await?, take::<OneByOne>(bench, events).await?);
        figures.all_at_once_ms.push((events, at_once.as_secs_f64() * 1e3));
        figures.one_by_one_ms.push((events, one_by_one.as_secs_f64() * 1e3));
    }
    for (how, times) in [("all at once", &figures.all_at_once_ms), ("one by one", &figures.one_by_one_ms)] {
        let times: Vec<String> = times.iter().map(|(events, ms)| format!("{events} in {ms:.0} ms")).collect();
        table.note(format!("early events, {how}: {}", times.join(", ")));
    }
    Ok(figures)
}

/// The median time over a mailbox that was filled before a worker came.
async fn take<W: Workflow<Input = u64, Output = u64>>(bench: &Bench, events: u64) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..bench.scale.runs {
        let url = bench.server.database().await?;
        let client = Durable::builder().database_url(&url).start().await?;
        let execution = client.start::<W>(events).await?;
        for nth in 0..events {
            client.send_event(execution.id(), &format!("item {nth}"), &nth).await?;
        }
        let began = Instant::now();
        let worker = Durable::builder().database_url(&url).register(AllAtOnce).register(OneByOne).start().await?;
        let taken = execution.result().await?;
        times.push(began.elapsed());
        worker.shutdown().await?;
        client.shutdown().await?;
        if taken != events {
            return Err(Error::new(format!("{taken} of {events} early events were taken")));
        }
    }
    times.sort();
    Ok(times[times.len() / 2])
}
